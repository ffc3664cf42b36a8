"""A pod's status, made from the states of its containers: phase, conditions, containers.

The rules are those of the kubelet, see
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class Phase(StrEnum):
    """The phase of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A container that has not started yet, or not restarted yet."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """A container whose program runs."""

    started_at: float


@dataclass(frozen=True, slots=True)
class Terminated:
    """A container whose program ended, or could not be started."""

    exit_code: int
    reason: str
    message: str = ""
    started_at: float = 0.0
    finished_at: float = 0.0
    container_id: str = ""


State = Waiting | Running | Terminated
"""The state of a container."""


@dataclass(frozen=True, slots=True)
class Container:
    """The state of one container that is reported."""

    name: str
    image: str
    state: State
    last: Terminated | None = None
    """How the run before this one ended."""
    image_id: str = ""
    container_id: str = ""
    restarts: int = 0
    started: bool = False
    """Whether the startup probe, if any, succeeded in this run."""
    ready: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether its program ended with exit code 0."""
        return isinstance(self.state, Terminated) and self.state.exit_code == 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where and since when a pod is on the node."""

    node_address: str
    start_time: float
    pod_address: str = ""
    """Empty until its network is set up."""


def pod_status(
    pod: Json,
    init: Sequence[Container],
    main: Sequence[Container],
    place: Place,
    *,
    ended: bool,
    previous: Iterable[Json],
    now: float,
) -> Json:
    """Return the status to report, as a strategic merge patch.

    `ended` means that no container will be started any more. `previous` are the conditions that
    were reported before: one that did not change keeps its lastTransitionTime.
    """
    reached = phase(pod["spec"], init, main, ended=ended)
    status: Json = {
        "phase": reached,
        "conditions": _conditions(pod, init, main, reached, list(previous), now),
        "hostIP": place.node_address,
        "hostIPs": [{"ip": place.node_address}],
        "startTime": timestamp(place.start_time),
        "containerStatuses": [_container(container) for container in main],
    }
    if place.pod_address:
        # Replaced, because a merge would keep the address from a previous agent.
        addresses = [{"$patch": "replace"}, {"ip": place.pod_address}]
        status |= {"podIP": place.pod_address, "podIPs": addresses}
    if init:
        # For an init container, ready means completed.
        status["initContainerStatuses"] = [
            _container(container, ready=container.succeeded) for container in init
        ]
    return status


def phase(
    spec: Json, init: Sequence[Container], main: Sequence[Container], *, ended: bool
) -> Phase:
    """Compute the phase from the states of the containers."""
    policy = spec.get("restartPolicy", "Always")
    if not all(container.succeeded for container in init):
        failed = any(
            isinstance(container.state, Terminated) and not container.succeeded
            for container in init
        )
        return Phase.FAILED if ended and (failed or policy == "Never") else Phase.PENDING
    if not ended and any(
        isinstance(container.state, Waiting) and container.last is None for container in main
    ):
        return Phase.PENDING
    if any(isinstance(container.state, Running) for container in main):
        return Phase.RUNNING
    if all(container.succeeded for container in main) and (ended or policy != "Always"):
        return Phase.SUCCEEDED
    return Phase.FAILED if ended or policy == "Never" else Phase.RUNNING


def timestamp(seconds: float) -> str:
    """Return a point in time as the API writes it.

    >>> timestamp(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _conditions(
    pod: Json,
    init: Sequence[Container],
    main: Sequence[Container],
    reached: Phase,
    previous: list[Json],
    now: float,
) -> list[Json]:
    initialized = _condition(
        "Initialized",
        [container.name for container in init if not container.succeeded],
        "ContainersNotInitialized",
        "containers with incomplete status",
    )
    unready = [container.name for container in main if not container.ready]
    not_ready = ("ContainersNotReady", "containers with unready status")
    containers_ready = _condition("ContainersReady", unready, *not_ready)
    ready = _condition("Ready", unready, *not_ready)
    if gates := _closed_gates(pod):
        ready = _condition("Ready", gates, "ReadinessGatesNotReady", "readiness gates not met")
    if reached in (Phase.SUCCEEDED, Phase.FAILED):
        reason = "PodCompleted" if reached is Phase.SUCCEEDED else "PodFailed"
        for condition in (containers_ready, ready):
            condition |= {"status": "False", "reason": reason, "message": None}
    before = {condition["type"]: condition for condition in previous}
    conditions = [_condition("PodScheduled", [], "", ""), initialized, containers_ready, ready]
    for condition in conditions:
        old = before.get(condition["type"], {})
        same = old.get("status") == condition["status"]
        since = old.get("lastTransitionTime") if same else None
        condition["lastTransitionTime"] = since or timestamp(now)
    return conditions


def _condition(kind: str, missing: list[str], reason: str, message: str) -> Json:
    if not missing:
        # Nulls, because a condition is merged into the one that was reported before.
        return {"type": kind, "status": "True", "reason": None, "message": None}
    text = f"{message}: [{' '.join(missing)}]"
    return {"type": kind, "status": "False", "reason": reason, "message": text}


def _closed_gates(pod: Json) -> list[str]:
    """Return the readiness gates whose condition is not True."""
    conditions = pod.get("status", {}).get("conditions") or []
    true = {condition["type"] for condition in conditions if condition["status"] == "True"}
    gates = pod["spec"].get("readinessGates") or []
    return [gate["conditionType"] for gate in gates if gate["conditionType"] not in true]


def _container(container: Container, *, ready: bool | None = None) -> Json:
    return {
        "name": container.name,
        "image": container.image,
        "imageID": container.image_id,
        "containerID": container.container_id,
        "restartCount": container.restarts,
        "ready": container.ready if ready is None else ready,
        "started": container.started,
        "state": _state(container.state),
        "lastState": _state(container.last) if container.last else {},
    }


def _state(state: State) -> Json:
    match state:
        case Waiting():
            return {"waiting": _without_empty(reason=state.reason, message=state.message)}
        case Running():
            return {"running": {"startedAt": timestamp(state.started_at)}}
        case Terminated():
            texts = _without_empty(
                reason=state.reason, message=state.message, containerID=state.container_id
            )
            return {
                "terminated": {
                    "exitCode": state.exit_code,
                    "startedAt": timestamp(state.started_at),
                    "finishedAt": timestamp(state.finished_at),
                    **texts,
                }
            }


def _without_empty(**texts: str) -> Json:
    return {key: text for key, text in texts.items() if text}
