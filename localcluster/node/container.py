"""The lifecycle of one container: start, probe, terminate, restart."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from localcluster.node import logs
from localcluster.node.api import UNREACHABLE
from localcluster.node.container_setup import Prepared, prepare
from localcluster.node.downward_api import ConfigurationError, Json
from localcluster.node.health import Health
from localcluster.node.images import Image
from localcluster.node.pod_context import PodContext
from localcluster.node.probes import Target, ask
from localcluster.node.sandbox import Process, StartError, start
from localcluster.node.status import Container, Running, Terminated, Waiting
from localcluster.node.stopping import first_of

_CONFIGURATION_RETRY = 5.0
_PULL_RETRY = 1.0
_SHORTEST_GRACE = 2.0
"""Seconds that a program has between SIGTERM and SIGKILL however long preStop took."""
_MESSAGE_BYTES = 4096
_KEPT_LOGS = 2
_NOT_STARTED = 128
"""The exit code that container runtimes give for a program that could not be executed."""


class ContainerRunner:
    """Runs one container of a pod, and restarts it by its restart policy."""

    def __init__(self, spec: Json, policy: str, changed: Callable[[], None]) -> None:
        """Prepare to run the container `spec`; call `changed` when its state has changed.

        `policy` is the pod's restartPolicy; for init containers `Always` means `OnFailure`.
        """
        self.spec = spec
        self.state = Container(spec["name"], spec["image"], Waiting("ContainerCreating"))
        self._policy = policy
        self._changed = changed

    def wait_because(self, reason: str, message: str = "") -> None:
        """Set the state to waiting, with a reason; keep how the previous run ended."""
        self._set_state(replace(self.state, state=Waiting(reason, message), last=self._last_end()))

    def note_health(self, *, started: bool | None = None, ready: bool | None = None) -> None:
        """Store the results of probes; None leaves a value unchanged."""
        self._set_state(
            replace(
                self.state,
                started=self.state.started if started is None else started,
                ready=self.state.ready if ready is None else ready,
            )
        )

    def log(self, folder: Path, *, previous: bool = False) -> Path:
        """Return the log file of this run, or of the one before, in a pod's folder."""
        run = self.state.restarts - (1 if previous else 0)
        return folder / "logs" / str(self.spec["name"]) / f"{run}.log"

    async def run(self, pod: PodContext) -> None:
        """Run the program, and restart it by its policy, until it or the pod is to end."""
        back_off = pod.node.back_off
        while not pod.stop.asked:
            if not await self._run_once(pod) or not self._is_restarted() or pod.stop.asked:
                return
            back_off = back_off.after_end(pod.node.clock())
            if back_off.delay:
                await self._wait_after_crash(back_off.delay, pod)
            # As the kubelet does: a container may have ended because a Secret is missing.
            await pod.volumes.refresh(pod.node.clock())
            if not pod.stop.asked:
                # A restart is reported together with its first state.
                self.state = replace(self.state, restarts=self.state.restarts + 1)

    def _is_restarted(self) -> bool:
        return self._policy == "Always" or (
            self._policy == "OnFailure" and not self.state.succeeded
        )

    async def _wait_after_crash(self, seconds: float, pod: PodContext) -> None:
        metadata = pod.pod["metadata"]
        name, uid = f"{metadata['name']}_{metadata['namespace']}", metadata["uid"]
        self.wait_because(
            "CrashLoopBackOff",
            f"back-off {_duration(seconds)} restarting failed "
            f"container={self.spec['name']} pod={name}({uid})",
        )
        await pod.tell(
            "Warning",
            "BackOff",
            f"Back-off restarting failed container {self.spec['name']} in pod {name}({uid})",
        )
        await pod.stop.wait(seconds)

    async def _run_once(self, pod: PodContext) -> bool:
        """Start the program and wait for its end; return False if the pod is stopped before."""
        image = await self._find_image(pod)
        prepared = await self._prepare(image, pod) if image else None
        if image is None or prepared is None:
            return False
        began = pod.node.clock()
        log = self.log(pod.folder)
        writer = logs.LogWriter(log, pod.node.clock)
        _remove_old_logs(log)
        try:
            process, output = await start(prepared.program, prepared.sandbox, writer.write)
        except StartError as error:
            writer.close()
            self._end(_NOT_STARTED, "StartError", str(error), began, pod.node.clock())
            await pod.tell("Warning", "Failed", f"Error: {error}")
            return True
        self._set_state(
            replace(
                self.state,
                state=Running(began),
                last=self._last_end(),
                image_id=f"process://{image.name}",
                container_id=f"process://{pod.pod['metadata']['uid']}-{process.pid}",
            )
        )
        await pod.tell("Normal", "Started", f"Started container {self.spec['name']}")
        code = await self._watch(process, prepared, pod)
        await output
        writer.close()
        message = self._termination_message(prepared, log, code)
        reason = "Error" if code else "Completed"
        self._end(code, reason, message, began, pod.node.clock())
        return True

    async def _find_image(self, pod: PodContext) -> Image | None:
        """Return the image; if it is missing, wait until the pod is stopped and return None."""
        name = self.spec["image"]
        image = pod.node.images.find(name)
        if image is None:
            why = pod.node.images.explain_missing(name)
            self.wait_because("ErrImagePull", why)
            await pod.tell("Warning", "Failed", f'Failed to pull image "{name}": {why}')
            if not await pod.stop.wait(_PULL_RETRY):
                self.wait_because("ImagePullBackOff", f'Back-off pulling image "{name}": {why}')
            await pod.stop.wait()
        return image

    async def _prepare(self, image: Image, pod: PodContext) -> Prepared | None:
        """Configure the container, with retries; return None if the pod is stopped before."""
        while not pod.stop.asked:
            try:
                return await prepare(self.spec, image, pod)
            except (ConfigurationError, *UNREACHABLE, OSError) as error:
                why = str(error) or type(error).__name__
                self.wait_because("CreateContainerConfigError", why)
                await pod.tell("Warning", "Failed", f"Error: {why}")
                await pod.stop.wait(_CONFIGURATION_RETRY)
        return None

    async def _watch(self, process: Process, prepared: Prepared, pod: PodContext) -> int:
        """Probe the program until it ends or must end; return its exit code."""
        exited = asyncio.ensure_future(process.wait())
        target = Target(self.spec, pod.facts.pod_address, process, prepared.program)
        health = Health(target, pod, self.note_health)
        probing = asyncio.create_task(health.watch())
        try:
            await first_of(exited, pod.stop.wait(), health.unhealthy.wait())
            if not exited.done():
                health.stop_judging()
                grace = pod.stop.grace if pod.stop.asked else health.grace
                stopping = f"Stopping container {self.spec['name']}"
                await pod.tell("Normal", "Killing", health.complaint or stopping)
                await self._terminate(target, exited, grace, pod)
        finally:
            probing.cancel()
            # Also on cancellation: no process may be left running.
            process.signal(signal.SIGKILL)
        return await exited

    async def _terminate(
        self, target: Target, exited: asyncio.Future[int], grace: float, pod: PodContext
    ) -> None:
        """Terminate the program: preStop, SIGTERM, and SIGKILL after the grace period.

        The readiness probe continues meanwhile, as in the kubelet: endpoints decide whether the
        pod still gets requests, and they know that it is terminating.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook and grace > 0:
            await first_of(self._before_stop(hook, target, grace, pod), exited, _at_once(pod))
        target.process.signal(signal.SIGTERM)
        left = max(grace - (clock() - began), _SHORTEST_GRACE) if grace > 0 else 0.0
        await first_of(exited, _at_once(pod), seconds=left)
        target.process.signal(signal.SIGKILL)
        await exited

    async def _before_stop(
        self, hook: Json, target: Target, grace: float, pod: PodContext
    ) -> None:
        if "sleep" in hook:
            await asyncio.sleep(min(hook["sleep"]["seconds"], grace))
            return
        result = await ask(hook, target, grace)
        if not result.success:
            text = f"PreStopHook failed: {result.message}"
            await pod.tell("Warning", "FailedPreStopHook", text)

    def _termination_message(self, prepared: Prepared, log: Path, code: int) -> str:
        message = prepared.message.read_bytes()[:_MESSAGE_BYTES].decode(errors="replace")
        policy = self.spec.get("terminationMessagePolicy")
        if not message and code and policy == "FallbackToLogsOnError":
            return logs.end_of(log)
        return message

    def _end(self, code: int, reason: str, message: str, began: float, now: float) -> None:
        ended = Terminated(code, reason, message, began, now, self.state.container_id)
        self._set_state(replace(self.state, state=ended, ready=False, started=False))

    def _last_end(self) -> Terminated | None:
        return self.state.state if isinstance(self.state.state, Terminated) else self.state.last

    def _set_state(self, state: Container) -> None:
        if state != self.state:
            self.state = state
            self._changed()


async def _at_once(pod: PodContext) -> None:
    await pod.stop.wait_at_once()


def _remove_old_logs(log: Path) -> None:
    """Remove the logs of earlier runs, except the last one, which `kubectl logs -p` shows."""
    run = int(log.stem)
    log.with_name(f"{run - _KEPT_LOGS}.log").unlink(missing_ok=True)


def _duration(seconds: float) -> str:
    """Format a duration as Go does.

    >>> _duration(10), _duration(160), _duration(0.5)
    ('10s', '2m40s', '500ms')
    """
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:g}m{rest:g}s" if minutes else f"{rest:g}s"
