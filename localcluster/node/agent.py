"""The agent: registers the node, watches the pods bound to it, and runs each in a task.

It adopts no pods: those of an agent that died ended with it, and are started again.
"""

import asyncio
import logging
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from localcluster import syscalls
from localcluster.node import registration
from localcluster.node.api import UNREACHABLE
from localcluster.node.downward_api import Json
from localcluster.node.logs_server import PORT, serve_logs
from localcluster.node.pod import PodRunner
from localcluster.node.pod_context import Node
from localcluster.node.reporting import delete_now

logger = logging.getLogger(__name__)

_REGISTER_RETRY = 0.5


class Agent:
    """Runs the pods of one node."""

    def __init__(self, node: Node, certificate: tuple[Path, Path] | None) -> None:
        """Prepare to run pods on `node`; serve logs only with a certificate and its key."""
        self._node = node
        self._certificate = certificate
        self._pods: dict[str, PodRunner] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run until cancelled."""
        _make_folders(self._node)
        async with AsyncExitStack() as services:
            if self._certificate:
                await services.enter_async_context(
                    serve_logs(self._node.address, self._certificate, self._find, self._node.clock)
                )
            else:
                logger.warning("No certificate was given: kubectl logs will not work")
            await self._register()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(registration.keep_lease(self._node))
                tasks.create_task(self._follow_pods())

    async def _register(self) -> None:
        while True:
            try:
                await registration.register(self._node, PORT if self._certificate else None)
            except UNREACHABLE as error:
                logger.warning("The node is not registered yet: %s", error or "timed out")
                await asyncio.sleep(_REGISTER_RETRY)
            else:
                logger.info("The node %s is Ready", self._node.name)
                return

    async def _follow_pods(self) -> None:
        here = f"spec.nodeName={self._node.name}"
        async for event in self._node.api.watch("/api/v1/pods", fieldSelector=here):
            if isinstance(event, list):
                self._take_over_all(event)
            elif event["type"] == "DELETED":
                self._forget(event["object"]["metadata"]["uid"])
            else:
                self._take_over(event["object"])

    def _take_over_all(self, pods: list[Json]) -> None:
        present = {pod["metadata"]["uid"] for pod in pods}
        for uid in self._pods.keys() - present:
            self._forget(uid)
        for pod in pods:
            self._take_over(pod)

    def _take_over(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        if uid in self._pods:
            self._pods[uid].update(pod)
        elif "deletionTimestamp" in pod["metadata"]:
            # Never seen before, so nothing of it runs here.
            self._keep(asyncio.create_task(delete_now(self._node.api, pod)))
        elif pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            self._pods[uid] = PodRunner(pod, self._node)
            self._keep(asyncio.create_task(self._run(uid)))

    async def _run(self, uid: str) -> None:
        runner = self._pods[uid]
        try:
            await runner.run()
        except Exception:
            logger.exception("%s cannot be run any more", runner.name)
        finally:
            del self._pods[uid]

    def _forget(self, uid: str) -> None:
        if uid in self._pods:
            self._pods[uid].vanish()

    def _find(self, namespace: str, name: str) -> PodRunner | None:
        full_name = f"{namespace}/{name}"
        # The newest first: a pod of the same name may still be terminating.
        return next(
            (runner for runner in reversed(self._pods.values()) if runner.name == full_name), None
        )

    def _keep(self, task: asyncio.Task[None]) -> None:
        """Keep a reference to a task until it is done: the event loop has only a weak one."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _make_folders(node: Node) -> None:
    """Create the folders for pods, and remove what a previous agent left there."""
    pods = node.directory / "pods"
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        target = line.split()[1]
        if Path(target).is_relative_to(node.directory):
            syscalls.unmount(target)
    shutil.rmtree(pods, ignore_errors=True)
    pods.mkdir(parents=True)
    node.memory.mkdir(exist_ok=True)
    flags = syscalls.MS_NODEV | syscalls.MS_NOSUID
    syscalls.mount("tmpfs", node.memory, "tmpfs", flags, "mode=0700")
