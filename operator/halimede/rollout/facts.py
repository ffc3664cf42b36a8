"""What the state machine knows of the cluster in one reconcile, without Kubernetes' types."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from halimede.api.base import RevisionHash
from halimede.api.reasons import NotReadyReason

CAPACITY = frozenset({NotReadyReason.UNSCHEDULABLE, NotReadyReason.QUOTA})
"""Causes of a full cluster, which says nothing about the model, so no deadline runs."""
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
"""Causes that waiting alone hardly resolves."""


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
    """Why the pod with the most severe problem is not ready; None if no cause is known."""
    message: str = ""
    """The cluster's message for the cause."""
    pods: int = 0
    """Pods that still hold resources, ready or not, including terminating ones."""
    restarts: int = 0
    """The highest number of restarts of a container."""
    rejected: bool = False
    """The API server rejects its Deployment, Service or ConfigMap as it is (400, 422)."""


@dataclass(frozen=True, slots=True)
class ForeignWrite:
    """Another field manager changed what we apply, and it has not been set back yet."""

    manager: str
    """The field manager that now owns the field."""
    at: float
    """The time of the write by the API server's clock."""


@dataclass(frozen=True, slots=True)
class Route:
    """The objects that split the requests between the revisions."""

    applied: bool = False
    """The live objects are as the status asks."""
    accepted: bool = False
    """Their controllers have accepted them as they are now."""
    rejected: bool = False
    """A controller has rejected them as they are now."""
    message: str = ""
    """Why they are not accepted."""
    since: float | None = None
    """When the route was created."""
    foreign_write: ForeignWrite | None = None
    """A change of the live objects by another field manager."""
    blocked: bool = False
    """It cannot be used until a user changes something: it belongs to the user, or objects of
    others have names that it needs."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The cluster as observed in one reconcile."""

    workloads: Mapping[RevisionHash, Workload]
    route: Route
    replicas: int
    """How many pods the serving revision should have: N."""
    others: int = 0
    """Pods of revisions other than the two of the rollout under way."""
    invalid_records: Mapping[RevisionHash, str] = field(default_factory=dict)
    """Revisions whose records must not be rendered: what is wrong, and what to do."""

    def workload(self, revision: RevisionHash) -> Workload:
        """Return a revision's workload; an empty one if it does not exist."""
        return self.workloads.get(revision) or Workload(revision)
