"""Find out why pods are not ready, from the pod status and Triton's termination message."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from halimede.api.base import Manifest
from halimede.api.exit_codes import NO_SECRET, TRY_AGAIN
from halimede.api.reasons import NotReadyReason
from halimede.render.names import FETCHER

_WAITING = {
    "ErrImagePull": NotReadyReason.IMAGE_PULL,
    "ImagePullBackOff": NotReadyReason.IMAGE_PULL,
    "InvalidImageName": NotReadyReason.IMAGE_PULL,
    "ErrImageNeverPull": NotReadyReason.IMAGE_PULL,
    "CrashLoopBackOff": NotReadyReason.CRASH_LOOP,
    "CreateContainerError": NotReadyReason.INVALID_POD,
    "RunContainerError": NotReadyReason.INVALID_POD,
}
"""The kubelet's reasons for a waiting container that have exactly one cause."""
_MISSING = (
    (re.compile(r"\bsecret\b", re.IGNORECASE), NotReadyReason.MISSING_SECRET),
    (re.compile(r"\bconfigmap\b", re.IGNORECASE), NotReadyReason.MISSING_CONFIG_MAP),
)
"""Patterns of the message of `CreateContainerConfigError`, and the causes that they show."""
_SEVERITY = (
    NotReadyReason.APPLY_FAILED,
    NotReadyReason.MISSING_SECRET,
    NotReadyReason.MISSING_CONFIG_MAP,
    NotReadyReason.INVALID_POD,
    NotReadyReason.IMAGE_PULL,
    NotReadyReason.CRASH_LOOP,
    NotReadyReason.QUOTA,
    NotReadyReason.UNSCHEDULABLE,
    NotReadyReason.LOADING,
    NotReadyReason.FETCHING,
)
"""Most severe cause first: of several pods, the problem of the first one is reported."""
ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that have ended for good: evicted, preempted, rejected by the kubelet, on a lost
node. Their ReplicaSet replaces them, and their containers do not restart."""
_AWAITED = {NO_SECRET: NotReadyReason.MISSING_SECRET, TRY_AGAIN: NotReadyReason.FETCHING}
"""Exit codes of the fetcher that say nothing about the revision, and the causes they show."""
MESSAGE_LENGTH = 400
"""Number of characters of a message that are kept: its end, which has the cause of the exit."""


@dataclass(frozen=True, slots=True)
class PodProblem:
    """The cause why a pod is not ready, and its message."""

    cause: NotReadyReason
    message: str


def most_severe(troubles: Iterable[PodProblem]) -> PodProblem | None:
    """Return the most severe problem; None if there is none."""
    return min(troubles, key=lambda problem: _SEVERITY.index(problem.cause), default=None)


def diagnose(pod: Manifest) -> PodProblem | None:
    """Return why *pod* is not ready; None if it is, or if the cause is not known yet.

    A pod that has ended has no problem: its replacement shows the state of the revision.
    """
    status = pod.get("status") or {}
    if has_ended(pod) or condition(status, "Ready") == "True":
        return None
    for pod_condition in status.get("conditions") or ():
        if (
            pod_condition["type"] == "PodScheduled"
            and pod_condition.get("reason") == "Unschedulable"
        ):
            return PodProblem(
                NotReadyReason.UNSCHEDULABLE, _short(pod_condition.get("message", ""))
            )
    fetching = tuple(map(_diagnose_container, status.get("initContainerStatuses") or ()))
    serving = tuple(map(_diagnose_container, status.get("containerStatuses") or ()))
    worst = most_severe(problem for problem in (*fetching, *serving) if problem is not None)
    if worst is not None:
        return worst
    if any(_running(container) for container in status.get("initContainerStatuses") or ()):
        return PodProblem(NotReadyReason.FETCHING, "The model's files are being fetched.")
    if any(_running(container) for container in status.get("containerStatuses") or ()):
        return PodProblem(NotReadyReason.LOADING, "Triton is loading the model.")
    return None


@dataclass(frozen=True, slots=True)
class Exit:
    """How the container `fetch` of a pod ended the last time."""

    code: int
    message: str
    """What it said itself."""
    cause: str
    """Why it ended, for people."""
    restarts: int
    """How often it has been restarted."""
    awaited: bool
    """Whether it will be able to fetch later, as nothing is wrong with the model."""


def last_exit(pod: Manifest) -> Exit | None:
    """Return how the fetcher of a pod that only fetches ended the last time; None: it did not."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        terminated = _last_termination(container)
        if container.get("name") == FETCHER and terminated:
            return Exit(
                int(terminated.get("exitCode", 0)),
                (terminated.get("message") or "").strip(),
                _short(_termination_message(terminated)),
                int(container.get("restartCount", 0)),
                _awaited(container) is not None,
            )
    return None


def diagnose_fetcher(pod: Manifest) -> PodProblem | None:
    """Return why a pod that only fetches has not succeeded; None: the cause is not known yet.

    Its one container is like the init container of a pod that serves: while it runs, it and the
    pod are ready, but that says nothing.
    """
    status = pod.get("status") or {}
    conditions = [one for one in status.get("conditions") or () if one["type"] != "Ready"]
    containers = [one | {"ready": False} for one in status.get("containerStatuses") or ()]
    as_initial = {"initContainerStatuses": containers, "containerStatuses": ()}
    return diagnose(pod | {"status": status | {"conditions": conditions} | as_initial})


def has_ended(pod: Manifest) -> bool:
    """Whether *pod* has ended for good: it uses no resources, and its replacement counts."""
    return (pod.get("status") or {}).get("phase") in ENDED


def restarts(pod: Manifest) -> int:
    """Return the highest restart count of the containers that may still fail.

    An init container that has succeeded is not counted, nor is a fetcher whose server is busy or
    unavailable, or whose Secret is missing: that says nothing about the revision.
    """
    status = pod.get("status") or {}
    initial = (one for one in status.get("initContainerStatuses") or () if not _succeeded(one))
    both = (*initial, *(status.get("containerStatuses") or ()))
    counts = (int(one.get("restartCount", 0)) for one in both if _awaited(one) is None)
    return max(counts, default=0)


def condition(status: Manifest, type_: str) -> str | None:
    """Read a condition's status; None if there is no such condition."""
    for one in status.get("conditions") or ():
        if one["type"] == type_:
            return str(one["status"])
    return None


def _diagnose_container(container: Manifest) -> PodProblem | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason"), waiting.get("message") or ""
    if reason == "CreateContainerConfigError":
        causes = (cause for pattern, cause in _MISSING if pattern.search(message))
        return PodProblem(next(causes, NotReadyReason.INVALID_POD), _short(message))
    cause = _WAITING.get(str(reason))
    if cause not in (None, NotReadyReason.CRASH_LOOP):
        return PodProblem(cause, _short(message))
    terminated = _last_termination(container)
    # A container that crashes repeatedly is running for a while between two crashes.
    if terminated and terminated.get("exitCode") and not container.get("ready"):
        cause = _awaited(container) or NotReadyReason.CRASH_LOOP
        if cause is NotReadyReason.MISSING_SECRET and _running(container):
            return None  # It would have ended at once if the Secret were still missing.
        message = _termination_message(terminated)
    return PodProblem(cause, _short(message)) if cause else None


def _succeeded(container: Manifest) -> bool:
    terminated = (container.get("state") or {}).get("terminated") or {}
    return terminated.get("exitCode") == 0


def _awaited(container: Manifest) -> NotReadyReason | None:
    """Return the cause for which the fetcher will try again; None: this is not such a fetcher."""
    terminated = _last_termination(container) or {}
    return (
        _AWAITED.get(terminated.get("exitCode", 0)) if container.get("name") == FETCHER else None
    )


def _last_termination(container: Manifest) -> Manifest | None:
    """Return the container's last termination; None if it has none."""
    for field in ("state", "lastState"):
        terminated: Manifest | None = (container.get(field) or {}).get("terminated")
        if terminated:
            return terminated
    return None


def _termination_message(terminated: Manifest) -> str:
    message = (terminated.get("message") or "").strip()
    code = f"exit code {terminated.get('exitCode')}"
    if reason := terminated.get("reason"):
        code += f", {reason}"
    return f"{message} ({code})" if message else f"The container terminated with {code}."


def _running(container: Manifest) -> bool:
    return "running" in (container.get("state") or {})


def _short(message: Any) -> str:
    text = " ".join(str(message).split())
    return text if len(text) <= MESSAGE_LENGTH else "…" + text[-MESSAGE_LENGTH:]
