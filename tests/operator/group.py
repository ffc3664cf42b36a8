"""A group of models beside bad ones, and how many requests the operator sends for each of them."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.kinds import MODEL_DEPLOYMENT
from halimede.api.base import Manifest
from halimede.api.status import Outcome
from tests.operator.conftest import model, put
from tests.operator.user import CHANGED, RECREATE
from tests.support.audit_log import AuditLog
from tests.support.waiting import wait_until_async


@dataclass(frozen=True, slots=True)
class Group:
    """Models of a namespace on nodes on which pods are ready at once."""

    kube: KubeCluster
    namespace: str
    prefix: str
    size: int

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models: no child of one has a name that begins with another one's."""
        return tuple(f"{self.prefix}{number:03}" for number in range(self.size))

    async def create(self) -> None:
        """Create all models."""
        await self._put_all()

    async def settle(self) -> None:
        """Create all, wait until they serve, change them, and wait until they serve the change."""
        await self._put_all()
        await wait_until_async(self._unready, lambda names: not names)
        await self._put_all(runtime=CHANGED)
        await wait_until_async(self._unchanged, lambda names: not names)

    def requests(self, audit: AuditLog) -> Counter[str]:
        """Return how many requests the operator has sent for each model and its children."""
        return Counter(
            name
            for event in audit.requests(self.namespace)
            for name in self.names
            if event["objectRef"].get("name", "").startswith(name)
        )

    def typical(self, audit: AuditLog) -> float:
        """Return the median of these numbers."""
        counts = self.requests(audit)
        return median(counts[name] for name in self.names)

    async def live(self) -> list[Manifest]:
        """Read all models."""
        listed = await self.kube._request("GET", MODEL_DEPLOYMENT.path(self.namespace))
        names = frozenset(self.names)
        return [manifest for manifest in listed["items"] if name(manifest) in names]

    async def reasons(self) -> Counter[str]:
        """Count the models by the reason of their condition Ready."""
        return Counter(ready(manifest)[1] for manifest in await self.live())

    async def _put_all(self, **spec: object) -> None:
        slots = asyncio.Semaphore(8)

        async def write(name: str) -> None:
            async with slots:
                manifest = model(name, self.namespace, rollout=RECREATE, **spec)
                await put(self.kube, manifest, "test")

        await asyncio.gather(*map(write, self.names))

    async def _unready(self) -> list[str]:
        return [name(one) for one in await self.live() if ready(one)[0] != "True"]

    async def _unchanged(self) -> list[str]:
        return [name(one) for one in await self.live() if not _has_rolled_out(one)]


def name(manifest: Manifest) -> str:
    """Return the name of an object."""
    return str(manifest["metadata"]["name"])


def ready(manifest: Manifest) -> tuple[str, str]:
    """Return the status and the reason of the condition Ready; empty if there is none."""
    conditions: Iterator[Manifest] = iter(manifest.get("status", {}).get("conditions", ()))
    return next(
        ((one["status"], one["reason"]) for one in conditions if one["type"] == "Ready"), ("", "")
    )


def _has_rolled_out(manifest: Manifest) -> bool:
    status = manifest.get("status", {})
    outcome = (status.get("lastRollout") or {}).get("outcome")
    return ready(manifest)[0] == "True" and outcome == Outcome.PROMOTED
