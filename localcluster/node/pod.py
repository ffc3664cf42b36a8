"""The lifecycle of one pod: network and volumes, then init containers, then containers."""

import asyncio
import logging
import shutil
from pathlib import Path

from localcluster.node import network
from localcluster.node.api import UNREACHABLE
from localcluster.node.container import ContainerRunner
from localcluster.node.downward_api import Facts, Json
from localcluster.node.events import Recorder
from localcluster.node.network import NetworkError, PodNetwork
from localcluster.node.pod_context import Node, PodContext
from localcluster.node.reporting import Reporter, delete_now
from localcluster.node.status import Place, pod_status
from localcluster.node.stopping import StopRequest
from localcluster.node.volumes import VolumeError, Volumes

logger = logging.getLogger(__name__)

_VOLUME_RETRY = 2.0
_DEFAULT_GRACE = 30.0


class PodRunner:
    """Runs one pod and reports its status until it is deleted."""

    def __init__(self, pod: Json, node: Node) -> None:
        """Prepare to run a pod that is bound to the node."""
        self.pod = pod
        self.folder = node.directory / "pods" / str(pod["metadata"]["uid"])
        self._memory = node.memory / self.folder.name
        self.stop = StopRequest()
        self._node = node
        self._reporter = Reporter(node.api, pod, self._status)
        self._deleted = asyncio.Event()
        self._place = Place(node.address, node.clock())
        self._network: PodNetwork | None = None
        self._ended = False
        spec = pod["spec"]
        policy = spec.get("restartPolicy", "Always")
        init_policy = "Never" if policy == "Never" else "OnFailure"
        self._init = self._runners(spec.get("initContainers", []), init_policy)
        self._main = self._runners(spec["containers"], policy)
        if self._init:
            for runner in (*self._init, *self._main):
                runner.wait_because("PodInitializing")

    def _runners(self, containers: list[Json], policy: str) -> list[ContainerRunner]:
        return [ContainerRunner(spec, policy, self._reporter.note_change) for spec in containers]

    @property
    def name(self) -> str:
        """Namespace and name, for messages."""
        return f"{self.pod['metadata']['namespace']}/{self.pod['metadata']['name']}"

    def container(self, name: str) -> ContainerRunner | None:
        """Return one of the pod's containers by its name."""
        runners = (*self._init, *self._main)
        return next((runner for runner in runners if runner.spec["name"] == name), None)

    def update(self, pod: Json) -> None:
        """Store a newer version of the object; stop the pod if it is being deleted."""
        self.pod = pod
        if "deletionTimestamp" in pod["metadata"]:
            grace = pod["metadata"].get("deletionGracePeriodSeconds")
            self.stop.ask(_DEFAULT_GRACE if grace is None else grace)
            self._deleted.set()
        self._reporter.note_change()

    def vanish(self) -> None:
        """Stop the pod at once, because its object is gone."""
        self.stop.ask(0)
        self._deleted.set()

    async def run(self) -> None:
        """Run the pod until it is deleted, then remove its files and its object."""
        logger.info("%s starts", self.name)
        reporting = asyncio.create_task(self._reporter.run())
        try:
            await self._run_pod()
            self._ended = True
            self._reporter.note_change()
            logger.info("%s ended", self.name)
            await self._deleted.wait()
        finally:
            reporting.cancel()
        await self._reporter.report()
        shutil.rmtree(self.folder, ignore_errors=True)
        await delete_now(self._node.api, self.pod)
        logger.info("%s is gone", self.name)

    async def _run_pod(self) -> None:
        recorder = Recorder(self._node.api, self._node.name, self.pod)
        facts = Facts("", self._node.address, self._node.allocatable)
        try:
            facts = await self._join_network(recorder, facts)
            volumes = Volumes(
                self._node.api, self.pod, self.folder / "volumes", self._memory, facts
            )
            namespace = self._network.namespace if self._network else None
            context = PodContext(
                *(
                    self._node,
                    self.pod,
                    self.folder,
                    facts,
                    namespace,
                    volumes,
                    recorder,
                    self.stop,
                )
            )
            try:
                if await self._set_up(context):
                    await self._run_containers(context)
            finally:
                volumes.release()
        finally:
            await self._leave_network()

    async def _join_network(self, recorder: Recorder, facts: Facts) -> Facts:
        """Connect the pod to the network, with retries; return its facts."""
        if self.pod["spec"].get("hostNetwork"):
            self._place = Place(facts.node_address, self._place.start_time, facts.node_address)
            return Facts(facts.node_address, facts.node_address, facts.allocatable)
        while True:
            address = self._node.addresses.take()
            try:
                self._network = await network.connect_pod(
                    address, self._node.address, self._node.prefix
                )
            except NetworkError as error:
                self._node.addresses.give_back(address)
                text = f"Failed to create pod sandbox: {error}"
                now = self._node.clock()
                await recorder.record("Warning", "FailedCreatePodSandBox", text, now=now)
                await self.stop.wait(_VOLUME_RETRY)
                continue
            self._place = Place(facts.node_address, self._place.start_time, address)
            self._reporter.note_change()
            return Facts(address, facts.node_address, facts.allocatable)

    async def _leave_network(self) -> None:
        if self._network:
            await network.disconnect_pod(self._network)
            self._node.addresses.give_back(self._network.address)
            self._network = None

    async def _set_up(self, pod: PodContext) -> bool:
        """Set up the volumes, with retries; return False if the pod is stopped before."""
        _write_host_files(self.folder, pod.facts.pod_address, self.pod["metadata"]["name"])
        while not self.stop.asked:
            try:
                await pod.volumes.set_up(self._node.clock())
            except (VolumeError, *UNREACHABLE) as error:
                await pod.tell("Warning", "FailedMount", str(error) or "timed out")
                await self.stop.wait(_VOLUME_RETRY)
            else:
                return True
        return False

    async def _run_containers(self, pod: PodContext) -> None:
        refreshing = asyncio.create_task(pod.volumes.keep_tokens_fresh(self._node.clock))
        try:
            for runner in self._init:
                await runner.run(pod)
                if self.stop.asked or not runner.state.succeeded:
                    return
            async with asyncio.TaskGroup() as containers:
                for runner in self._main:
                    containers.create_task(runner.run(pod))
        finally:
            refreshing.cancel()

    def _status(self, previous: Json) -> Json:
        return pod_status(
            self.pod,
            [runner.state for runner in self._init],
            [runner.state for runner in self._main],
            self._place,
            ended=self._ended,
            previous=previous.get("conditions", []),
            now=self._node.clock(),
        )


def _write_host_files(folder: Path, address: str, name: str) -> None:
    """Write /etc/hosts and /etc/resolv.conf for the pod's containers."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ("127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost", f"{address}\t{name}")
    (folder / "hosts").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # No server listens there, so a lookup fails at once; the host's servers are unreachable, and a
    # lookup would wait for them.
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="utf-8")
