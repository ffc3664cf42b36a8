"""A tenant beside others: how soon its canary is shed, and how soon it is aborted."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.kinds import INGRESS, MODEL_DEPLOYMENT, POD
from halimede.api.base import RevisionHash
from halimede.api.status import Outcome, RolloutStatus, State, Status
from tests.operator.conftest import model, put
from tests.prometheus.exposition import Exposition
from tests.support.waiting import wait_until_async

NAME = "digits"
PAGE = "/triton"
"""The page with the counters of its pods."""
ROLLOUT = {
    "strategy": "Canary",
    "canary": {"steps": [{"weight": 50, "minSeconds": 3600, "maxSeconds": 3600}]},
    "analysis": {
        "provider": "None",
        "intervalSeconds": 1,
        "warmupSeconds": 0,
        "settleSeconds": 0,
    },
    "abortScaleDownDelaySeconds": 0,
}
"""No router is simulated, so the counters of Triton are judged alone."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """The seconds that the operator needed for one canary."""

    shed: float
    """From the canary's last ready pod to the route that gives the canary no requests."""
    abort: float
    """From its first failed request to the stored abort; polls are a second apart."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A namespace with one model behind an Ingress, on nodes on which pods are ready at once."""

    kube: KubeCluster
    counters: Exposition
    """What Prometheus scrapes."""
    namespace: str
    _tags: Iterator[int] = field(default_factory=count)

    async def serve(self) -> None:
        """Deploy the first revision."""
        await self._change()
        await wait_until_async(self._status, lambda status: status.stable)

    async def roll_out(self) -> Reaction:
        """Roll out a revision that loses its pods, gets them back, and then fails."""
        await self._change()
        canary = await self._judged()
        begun = time.monotonic()
        await self._set_ready(canary.revision, "False")
        await wait_until_async(self._canary_route, lambda route: route is None)
        shed = time.monotonic() - begun
        await self._set_ready(canary.revision, "True")
        await self._judged()
        begun = time.monotonic()

        async def serve_requests() -> Status:
            self._count(canary.base, failed=False)
            self._count(canary.revision, failed=True)
            return await self._status()

        await wait_until_async(serve_requests, _aborted)
        abort = time.monotonic() - begun
        await wait_until_async(self._status, lambda status: status.rollout is None)
        return Reaction(shed, abort)

    async def _change(self) -> None:
        expose = {"type": "Ingress", "ingress": {"host": "digits.example.com"}}
        image = f"registry.example/triton:{next(self._tags)}"
        runtime = {"image": image, "version": "26.09"}
        manifest = model(NAME, self.namespace, expose=expose, rollout=ROLLOUT, runtime=runtime)
        await put(self.kube, manifest, "test")

    async def _judged(self) -> RolloutStatus:
        """Wait until the canary gets requests by which it is judged."""
        status = await wait_until_async(
            self._status,
            lambda status: status.rollout and status.rollout.state is State.ANALYSING,
        )
        assert status.rollout is not None
        return status.rollout

    async def _status(self) -> Status:
        live = await self.kube.get(MODEL_DEPLOYMENT, self.namespace, NAME)
        assert live is not None
        return Status.model_validate(live.get("status", {}))

    async def _canary_route(self) -> object:
        return await self.kube.get(INGRESS, self.namespace, f"{NAME}-canary")

    async def _set_ready(self, revision: RevisionHash, ready: str) -> None:
        """Report that the pod of a revision is ready or not, as a kubelet does."""
        pods = await self.kube.list_versions(POD, [self.namespace])
        (name,) = (key.name for key, _ in pods.versions.values() if revision in key.name)
        pod = await self.kube.get(POD, self.namespace, name)
        assert pod is not None
        types = [condition["type"] for condition in pod["status"]["conditions"]]
        path = f"/status/conditions/{types.index('Ready')}/status"
        operation = {"op": "replace", "path": path, "value": ready}
        await self.kube.patch(POD, self.namespace, f"{name}/status", [operation])

    def _count(self, revision: RevisionHash, *, failed: bool) -> None:
        """Count ten requests, as the pod of a revision does."""
        labels = (
            f'namespace="{self.namespace}",pod="{NAME}-{revision}-x",model="{NAME}",version="1"'
        )
        failure = f'nv_inference_request_failure{{{labels},reason="BACKEND"}}'
        success = f"nv_inference_request_success{{{labels}}}"
        self.counters.add(PAGE, failure, 10 if failed else 0)
        self.counters.add(PAGE, success, 0 if failed else 10)


def _aborted(status: Status) -> bool:
    ended = status.rollout or status.last_rollout
    return ended is not None and ended.outcome is Outcome.ABORTED
