from typing import Any

import pytest

from localcluster.node.status import (
    Container,
    Phase,
    Place,
    Running,
    State,
    Terminated,
    Waiting,
    phase,
    pod_status,
)

WAITING = Waiting("ContainerCreating")
RUNNING = Running(5.0)
DONE = Terminated(0, "Completed")
FAILED = Terminated(1, "Error")
PLACE = Place("10.244.0.1", 1.0, "10.244.1.1")
POD: dict[str, Any] = {"metadata": {}, "spec": {"restartPolicy": "Always"}}


def containers(*states: State, ready: bool = False) -> list[Container]:
    """Return containers c0, c1 … in these states; running ones are ready as given."""
    return [
        Container(f"c{number}", "halimede", state, ready=ready and state is RUNNING)
        for number, state in enumerate(states)
    ]


@pytest.mark.parametrize(
    ("policy", "init", "main", "ended", "expected"),
    [
        ("Always", [], [WAITING], False, Phase.PENDING),
        ("Always", [RUNNING], [WAITING], False, Phase.PENDING),
        ("Always", [FAILED], [WAITING], False, Phase.PENDING),
        ("Never", [FAILED], [WAITING], True, Phase.FAILED),
        ("Always", [DONE], [RUNNING], False, Phase.RUNNING),
        ("Always", [], [RUNNING, WAITING], False, Phase.PENDING),
        ("Always", [], [FAILED], False, Phase.RUNNING),
        ("Always", [], [DONE], False, Phase.RUNNING),
        ("Never", [], [DONE, RUNNING], False, Phase.RUNNING),
        ("Never", [], [DONE, DONE], True, Phase.SUCCEEDED),
        ("Never", [], [DONE, FAILED], True, Phase.FAILED),
        ("OnFailure", [], [FAILED], False, Phase.RUNNING),
        ("OnFailure", [], [DONE], True, Phase.SUCCEEDED),
        ("Always", [], [DONE], True, Phase.SUCCEEDED),
        ("Always", [], [FAILED], True, Phase.FAILED),
    ],
)
def test_phase_follows_from_the_containers(
    policy: str, init: list[State], main: list[State], expected: Phase, *, ended: bool
) -> None:
    """The phase for these states is as documented for the pod lifecycle."""
    reached = phase({"restartPolicy": policy}, containers(*init), containers(*main), ended=ended)
    assert reached is expected


def test_a_container_that_crashed_before_leaves_its_pod_running() -> None:
    """A container that waits after a crash leaves its pod Running."""
    crashed = Container("c", "halimede", Waiting("CrashLoopBackOff"), last=FAILED, restarts=1)
    assert phase({}, [], [crashed], ended=False) is Phase.RUNNING


def conditions(status: dict[str, Any]) -> dict[str, str]:
    """Return the conditions' states by their types."""
    return {condition["type"]: condition["status"] for condition in status["conditions"]}


def status_of(
    main: list[Container], init: list[Container] | None = None, **more: Any
) -> dict[str, Any]:
    """Return the status of a running pod at second 100."""
    options: dict[str, Any] = {"ended": False, "previous": [], "now": 100.0, **more}
    return pod_status(options.pop("pod", POD), init or [], main, PLACE, **options)


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    """One container that is not ready keeps the pod from being ready, and is named."""
    half = [*containers(RUNNING, ready=True), Container("slow", "halimede", RUNNING)]
    assert conditions(status_of(half))["Ready"] == "False"
    message = status_of(half)["conditions"][-1]["message"]
    assert message == "containers with unready status: [slow]"
    whole = status_of(containers(RUNNING, ready=True))
    assert conditions(whole) == dict.fromkeys(
        ("PodScheduled", "Initialized", "ContainersReady", "Ready"), "True"
    )


def test_a_readiness_gate_keeps_a_pod_from_being_ready() -> None:
    """An open readiness gate keeps a pod with ready containers from being Ready."""
    gated: dict[str, Any] = {"metadata": {}, "spec": {"readinessGates": [{"conditionType": "g"}]}}
    main = containers(RUNNING, ready=True)
    closed = conditions(status_of(main, pod=gated))
    assert (closed["ContainersReady"], closed["Ready"]) == ("True", "False")
    opened = {**gated, "status": {"conditions": [{"type": "g", "status": "True"}]}}
    assert conditions(status_of(main, pod=opened))["Ready"] == "True"


def test_a_condition_that_stays_keeps_its_time() -> None:
    """The lastTransitionTime changes only with the condition's status."""
    first = status_of(containers(RUNNING))
    second = status_of(containers(RUNNING, ready=True), previous=first["conditions"], now=200.0)
    times = {one["type"]: one["lastTransitionTime"] for one in second["conditions"]}
    assert times == {
        "PodScheduled": "1970-01-01T00:01:40Z",
        "Initialized": "1970-01-01T00:01:40Z",
        "ContainersReady": "1970-01-01T00:03:20Z",
        "Ready": "1970-01-01T00:03:20Z",
    }


def test_an_unfinished_init_container_is_named() -> None:
    """The status names the init container that has not finished."""
    status = status_of(containers(WAITING), containers(DONE, RUNNING))
    initialized = status["conditions"][1]
    assert initialized["status"] == "False"
    assert initialized["message"] == "containers with incomplete status: [c1]"
    assert [one["ready"] for one in status["initContainerStatuses"]] == [True, False]


def test_a_termination_is_reported_beside_the_current_state() -> None:
    """A restarted container has the exit code, reason and message of its last end."""
    ended = Terminated(137, "Error", "killed", 10.0, 20.0, "process://1")
    now = Container("c", "i", Running(30.0), last=ended, restarts=2, started=True, ready=True)
    status = status_of([now])["containerStatuses"][0]
    assert status["state"] == {"running": {"startedAt": "1970-01-01T00:00:30Z"}}
    assert status["lastState"] == {
        "terminated": {
            "exitCode": 137,
            "reason": "Error",
            "message": "killed",
            "startedAt": "1970-01-01T00:00:10Z",
            "finishedAt": "1970-01-01T00:00:20Z",
            "containerID": "process://1",
        }
    }
    assert status["restartCount"] == 2
