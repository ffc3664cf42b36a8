"""What the machine knows of the cluster in one pass: digested, and without Kubernetes' forms."""

from collections.abc import Mapping
from dataclasses import dataclass

from halimede.api.base import RevisionHash
from halimede.api.reasons import NotReadyReason

CAPACITY = frozenset({NotReadyReason.UNSCHEDULABLE, NotReadyReason.QUOTA})
"""A full cluster: no news about the model, so no deadline runs."""
NEEDS_HELP = frozenset(
    {
        NotReadyReason.MISSING_SECRET,
        NotReadyReason.MISSING_CONFIG_MAP,
        NotReadyReason.INVALID_POD,
        NotReadyReason.APPLY_FAILED,
        NotReadyReason.IMAGE_PULL,
        NotReadyReason.CRASH_LOOP,
    }
)
"""Waiting alone hardly cures these."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One revision's Deployment and its pods."""

    revision: RevisionHash
    exists: bool = False
    desired: int = 0
    """The Deployment's live `spec.replicas`."""
    ready_endpoints: int = 0
    """Pods that proxies may send requests to."""
    cause: NotReadyReason | None = None
    """What keeps the worst-off pod from being ready; None if nothing is known to."""
    message: str = ""
    """The cluster's own words for it."""
    pods: int = 0
    """Pods that still hold resources, ready or not, those that are ending too."""
    restarts: int = 0
    """Most restarts of any container."""
    refused: bool = False
    """The API server refuses its Deployment, Service or ConfigMap as it is (400, 422)."""


@dataclass(frozen=True, slots=True)
class ForeignWrite:
    """Somebody else changed what we apply, and it has not been set back yet."""

    manager: str
    """The field manager that took the field."""
    at: float
    """When, by the API server's clock."""


@dataclass(frozen=True, slots=True)
class Route:
    """What leads clients to the revisions."""

    applied: bool = False
    """The live objects say what the status asks for."""
    accepted: bool = False
    """Whoever carries them out has accepted them as they are now."""
    refused: bool = False
    """It has said no to them as they are now."""
    message: str = ""
    """Why they are not accepted."""
    since: float | None = None
    """When the route was made."""
    foreign_write: ForeignWrite | None = None
    """Somebody else's change of the live objects."""
    blocked: bool = False
    """It belongs to the user, and only the user can make it fit to be used."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The cluster as one pass sees it."""

    workloads: Mapping[RevisionHash, Workload]
    route: Route
    replicas: int
    """How many pods the serving revision should have: N."""
    others: int = 0
    """Pods of revisions that take no part in the rollout under way."""

    def workload(self, revision: RevisionHash) -> Workload:
        """Find a revision's workload; one that does not exist is empty."""
        return self.workloads.get(revision) or Workload(revision)
