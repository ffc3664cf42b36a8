"""What keeps a pod from being ready, read from its status."""

import pytest

from halimede.api.base import Manifest
from halimede.api.exit_codes import NO_SECRET, TRY_AGAIN
from halimede.api.reasons import NotReadyReason
from halimede.plan.pod_problems import MESSAGE_LENGTH, PodProblem, diagnose, most_severe, restarts


def waits(reason: str, message: str = "", **more: object) -> Manifest:
    """Return the status of a waiting container."""
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def ended(code: int, message: str = "", **more: object) -> Manifest:
    """Return the status of a terminated container."""
    return {"terminated": {"exitCode": code, "message": message, **more}}


def pod(*serving: Manifest, init: tuple[Manifest, ...] = (), **condition: str) -> Manifest:
    """Return a pod of these containers, optionally with a condition."""
    return {
        "status": {
            "conditions": [condition] if condition else [],
            "initContainerStatuses": list(init),
            "containerStatuses": list(serving),
        }
    }


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
CASES = {
    "new": ({}, None),
    "ready": (pod({"state": {"running": {}}}, type="Ready", status="True"), None),
    "no room": (pod(**UNSCHEDULABLE), NotReadyReason.UNSCHEDULABLE),
    "secret": (
        pod(init=(waits("CreateContainerConfigError", 'secret "s" not found'),)),
        NotReadyReason.MISSING_SECRET,
    ),
    "key of a secret": (
        pod(waits("CreateContainerConfigError", "couldn't find key k in Secret ns/s")),
        NotReadyReason.MISSING_SECRET,
    ),
    "config map": (
        pod(waits("CreateContainerConfigError", 'configmap "c" not found')),
        NotReadyReason.MISSING_CONFIG_MAP,
    ),
    "other configuration": (
        pod(waits("CreateContainerConfigError", "host user")),
        NotReadyReason.INVALID_POD,
    ),
    "no start": (pod(waits("RunContainerError", "exec: not found")), NotReadyReason.INVALID_POD),
    "image": (pod(waits("ErrImagePull")), NotReadyReason.IMAGE_PULL),
    "crash": (pod(waits("CrashLoopBackOff", lastState=ended(1))), NotReadyReason.CRASH_LOOP),
    "crash of the fetcher": (pod(init=(waits("CrashLoopBackOff"),)), NotReadyReason.CRASH_LOOP),
    "just crashed": (pod({"state": ended(1)}), NotReadyReason.CRASH_LOOP),
    "between crashes": (
        pod({"state": {"running": {}}, "lastState": ended(137), "ready": False}),
        NotReadyReason.CRASH_LOOP,
    ),
    "fetching": (
        pod(waits("PodInitializing"), init=({"state": {"running": {}}},)),
        NotReadyReason.FETCHING,
    ),
    "a server that is away": (
        pod(init=(waits("CrashLoopBackOff", name="fetch", lastState=ended(TRY_AGAIN)),)),
        NotReadyReason.FETCHING,
    ),
    "a server that was just away": (
        pod(init=({"name": "fetch", "state": ended(TRY_AGAIN)},)),
        NotReadyReason.FETCHING,
    ),
    "another attempt at it": (
        pod(init=({"name": "fetch", "state": {"running": {}}, "lastState": ended(TRY_AGAIN)},)),
        NotReadyReason.FETCHING,
    ),
    "a Secret of the model that is missing": (
        pod(init=(waits("CrashLoopBackOff", name="fetch", lastState=ended(NO_SECRET)),)),
        NotReadyReason.MISSING_SECRET,
    ),
    "a Secret of the model that has come": (
        pod(init=({"name": "fetch", "state": {"running": {}}, "lastState": ended(NO_SECRET)},)),
        NotReadyReason.FETCHING,
    ),
    "a container of the user with that status": (
        pod(init=(waits("CrashLoopBackOff", name="mine", lastState=ended(TRY_AGAIN)),)),
        NotReadyReason.CRASH_LOOP,
    ),
    "an image that is away": (
        pod(init=(waits("ImagePullBackOff", name="fetch", lastState=ended(TRY_AGAIN)),)),
        NotReadyReason.IMAGE_PULL,
    ),
    "fetched": (pod(waits("PodInitializing"), init=({"state": ended(0)},)), None),
    "evicted": (
        {
            "status": {
                "phase": "Failed",
                "reason": "Evicted",
                **pod({"state": ended(137)})["status"],
            }
        },
        None,
    ),
    "preempted before it had a node": (
        {"status": {"phase": "Failed", "reason": "Preempting", **pod(**UNSCHEDULABLE)["status"]}},
        None,
    ),
    "refused by the kubelet": (
        {"status": {"phase": "Failed", "reason": "UnexpectedAdmissionError"}},
        None,
    ),
    "done": ({"status": {"phase": "Succeeded", **pod({"state": ended(1)})["status"]}}, None),
    "loading": (pod({"state": {"running": {}}}), NotReadyReason.LOADING),
}


@pytest.mark.parametrize("case", CASES)
def test_cause(case: str) -> None:
    """Each kind of problem has its own cause."""
    status, cause = CASES[case]
    result = diagnose(status)
    assert (result and result.cause) == cause


def test_last_words_of_a_crash() -> None:
    """The message is the termination message, not the kubelet's backoff."""
    crashed = waits(
        "CrashLoopBackOff", "back-off", lastState=ended(1, "bad\n opset", reason="Error")
    )
    result = diagnose(pod(crashed))
    assert result is not None
    assert result.message == "bad opset (exit code 1, Error)"


def test_long_messages_keep_their_end() -> None:
    """Long messages keep their end, where programs report the error."""
    result = diagnose(pod(waits("CrashLoopBackOff", lastState=ended(1, "x" * 9999 + " the end"))))
    assert result is not None
    assert result.message.startswith("…")
    assert result.message.endswith("the end (exit code 1)")
    assert len(result.message) == MESSAGE_LENGTH + 1


def test_worst_of_several_pods() -> None:
    """Problems that need a user come before those that need only time."""
    loading, missing = (
        PodProblem(NotReadyReason.LOADING, ""),
        PodProblem(NotReadyReason.MISSING_SECRET, ""),
    )
    assert most_severe(iter((loading, missing, loading))) is missing


def test_restarts() -> None:
    """The highest number of restarts of any container counts, including the fetcher."""
    assert restarts(pod({"restartCount": 1}, init=({"restartCount": 3},))) == 3
    assert restarts({}) == 0


def test_restarts_of_a_fetcher_whose_secret_is_missing() -> None:
    """They are not crashes of the model: it is fetched when the Secret is created."""
    missing = {"name": "fetch", "restartCount": 5, "lastState": ended(NO_SECRET, "no Secret")}
    assert restarts(pod({"restartCount": 1}, init=(missing,))) == 1


def test_restarts_of_a_fetcher_whose_server_is_away() -> None:
    """They are not crashes of the model; those of the fetcher for another cause are."""
    away = {"name": "fetch", "restartCount": 5, "lastState": ended(TRY_AGAIN, "503")}
    assert restarts(pod({"restartCount": 1}, init=(away,))) == 1
    assert restarts(pod(init=(away | {"lastState": ended(1)},))) == 5
    fetched = away | {"state": ended(0)}
    assert restarts(pod({"restartCount": 1}, init=(fetched,))) == 1
    problem = diagnose(pod(init=(away | {"state": {"running": {}}},)))
    assert problem == PodProblem(NotReadyReason.FETCHING, "503 (exit code 75)")
