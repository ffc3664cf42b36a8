"""The three probes of a running container, and what follows from them."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from localcluster.node.downward_api import Json
from localcluster.node.pod_context import PodContext
from localcluster.node.probes import HANDLERS, Target, ask
from localcluster.node.thresholds import ProbeResult, ProbeTimes

_DEFAULT_GRACE = 30.0


class HealthChange(Protocol):
    """Takes the results of probes; None leaves a value unchanged."""

    def __call__(self, *, started: bool | None = None, ready: bool | None = None) -> None:
        """Store whether a container has started, or is ready."""


class Health:
    """Probes one run of a container, and stores the results in the container's state."""

    def __init__(self, target: Target, pod: PodContext, change: HealthChange) -> None:
        """Call `change` with `started` and `ready` when they change."""
        self.unhealthy = asyncio.Event()
        """Set when the startup or liveness probe has failed: the container must be terminated."""
        self.grace: float = pod.pod["spec"].get("terminationGracePeriodSeconds", _DEFAULT_GRACE)
        """The grace period of that termination, in seconds."""
        self.complaint = ""
        """The reason of that termination, for an event."""
        self._target = target
        self._pod = pod
        self._change = change
        self._began = asyncio.get_running_loop().time()
        self._started = asyncio.Event()
        self._judges: list[asyncio.Task[None]] = []

    async def watch(self) -> None:
        """Probe until cancelled."""
        spec = self._target.spec
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._be_ready(spec.get("readinessProbe")))
            self._judges = [
                tasks.create_task(self._start_up(spec.get("startupProbe"))),
                tasks.create_task(self._stay_alive(spec.get("livenessProbe"))),
            ]

    def stop_judging(self) -> None:
        """Stop the probes that can terminate the container: it is already terminating."""
        for task in self._judges:
            task.cancel()

    async def _start_up(self, probe: Json | None) -> None:
        if probe:
            verdict = await self._probe("Startup", probe, self._is_decided)
            if not verdict.healthy:
                self._give_up("startup", probe)
                return
        self._started.set()
        self._change(started=True)

    async def _stay_alive(self, probe: Json | None) -> None:
        await self._started.wait()
        if probe:
            await self._probe("Liveness", probe, lambda verdict: verdict.healthy is False)
            self._give_up("liveness", probe)

    async def _be_ready(self, probe: Json | None) -> None:
        await self._started.wait()
        if not probe:
            self._change(ready=True)
            return
        await self._probe("Readiness", probe, self._note_readiness)

    @staticmethod
    def _is_decided(verdict: ProbeResult) -> bool:
        return verdict.healthy is not None

    def _note_readiness(self, verdict: ProbeResult) -> bool:
        """Store the verdict; return False, because this probe never ends."""
        if verdict.healthy is not None:
            self._change(ready=verdict.healthy)
        return False

    async def _probe(
        self, name: str, probe: Json, is_enough: Callable[[ProbeResult], bool]
    ) -> ProbeResult:
        """Probe once in each period until `is_enough` accepts the verdict; return it."""
        times = ProbeTimes.of(probe)
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._began + times.initial_delay - clock()))
        verdict = ProbeResult(times.success_threshold, times.failure_threshold)
        handler: Json = {key: probe[key] for key in HANDLERS if key in probe}
        while True:
            next_time = clock() + times.period
            result = await ask(handler, self._target, times.timeout)
            verdict = verdict.after(success=result.success)
            if not result.success:
                text = f"{name} probe failed: {result.message}"
                await self._pod.tell("Warning", "Unhealthy", text)
            if is_enough(verdict):
                return verdict
            await asyncio.sleep(max(0.0, next_time - clock()))

    def _give_up(self, name: str, probe: Json) -> None:
        grace = ProbeTimes.of(probe).termination_grace_period
        if grace is not None:
            self.grace = grace
        container = self._target.spec["name"]
        self.complaint = f"Container {container} failed {name} probe, will be restarted"
        self.unhealthy.set()
