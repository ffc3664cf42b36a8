"""The Lease by which the replicas of the operator agree on one leader."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.errors import ConflictError
from halimede.adapters.kinds import Kind
from halimede.api.base import Manifest

LEASE = Kind("Lease", "coordination.k8s.io/v1", "leases", selector=None)


@dataclass(frozen=True, slots=True)
class Lease:
    """What a Lease says (`coordination.k8s.io/v1`)."""

    holder: str | None
    """The identity of the leader; None: it has released the Lease."""
    seconds: float
    """How long the Lease is valid after each renewal."""
    version: str
    """The `resourceVersion`: another one means that the Lease was renewed or taken."""
    manifest: Manifest
    """The whole object."""


class LeaseClient:
    """Reads and writes one Lease."""

    def __init__(
        self, cluster: KubeCluster, namespace: str, name: str, clock: Callable[[], float]
    ) -> None:
        """Create a client.

        Args:
            cluster: It should serve nothing else, so that renewals do not queue.
            namespace: The namespace of the Lease.
            name: The name of the Lease.
            clock: Returns the UNIX time for the times in the Lease.
        """
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._clock = clock

    async def read(self) -> Lease | None:
        """Return the Lease; None: it does not exist."""
        manifest = await self._cluster.get(LEASE, self._namespace, self._name)
        if manifest is None:
            return None
        spec = manifest.get("spec") or {}
        return Lease(
            holder=spec.get("holderIdentity") or None,
            seconds=float(spec.get("leaseDurationSeconds") or 0),
            version=manifest["metadata"]["resourceVersion"],
            manifest=manifest,
        )

    async def write(self, before: Lease | None, holder: str | None, seconds: float) -> bool:
        """Take, renew or release the Lease; return whether it still was what was read *before*.

        The times in the Lease are for people: no replica compares them with its own clock.
        """
        moment = datetime.fromtimestamp(self._clock(), UTC)
        now = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
        old = (before.manifest.get("spec") or {}) if before else {}
        changed = before is None or before.holder != holder
        spec = {
            "holderIdentity": holder or "",
            "leaseDurationSeconds": max(1, round(seconds)),
            "acquireTime": now if changed else old.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + bool(before and changed),
        }
        try:
            if before is None:
                metadata = {"name": self._name, "namespace": self._namespace}
                identity = {"apiVersion": LEASE.api_version, "kind": LEASE.name}
                await self._cluster.post(LEASE, identity | {"metadata": metadata, "spec": spec})
            else:
                await self._cluster.replace(LEASE, before.manifest | {"spec": spec})
        except ConflictError:
            return False
        return True
