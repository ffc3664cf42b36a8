"""What a container needs of its pod, and a pod of its node."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localcluster.node.api import Api
from localcluster.node.backoff import CrashBackOff
from localcluster.node.downward_api import Facts, Json
from localcluster.node.events import Recorder
from localcluster.node.filesystem import Step
from localcluster.node.images import ImageTable
from localcluster.node.network import AddressPool
from localcluster.node.stopping import StopRequest
from localcluster.node.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Node:
    """The node as its pods see it."""

    name: str
    address: str
    """The bridge's address: the pods' gateway, where the API server listens too."""
    prefix: int
    """The length of the pod network's prefix."""
    api_server: tuple[str, str]
    """Host and port of the API server, for the pods' environment variables."""
    directory: Path
    """The node's files; each pod has a folder in it."""
    memory: Path
    """A folder in memory, lost with the cluster: the data of Secrets must not be on disk."""
    api: Api
    addresses: AddressPool
    images: ImageTable
    common_steps: tuple[Step, ...]
    """The file system that every container has."""
    back_off: CrashBackOff
    """The initial back-off of each container."""
    allocatable: dict[str, str]
    clock: Callable[[], float]
    """The time of day, in UNIX seconds."""


@dataclass(frozen=True, slots=True)
class PodContext:
    """A pod as its containers see it, once it has its network and volumes."""

    node: Node
    pod: Json
    folder: Path
    facts: Facts
    namespace: int | None
    """The descriptor of the pod's network namespace; None for the node's own."""
    volumes: Volumes
    recorder: Recorder
    stop: StopRequest

    async def tell(self, kind: str, reason: str, message: str) -> None:
        """Record an event about the pod."""
        await self.recorder.record(kind, reason, message, now=self.node.clock())
