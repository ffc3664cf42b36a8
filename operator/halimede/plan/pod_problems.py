"""Why pods are not ready: read from what the scheduler, the kubelet and Triton say."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from halimede.api.base import Manifest
from halimede.api.reasons import NotReadyReason

_WAITING = {
    "ErrImagePull": NotReadyReason.IMAGE_PULL,
    "ImagePullBackOff": NotReadyReason.IMAGE_PULL,
    "InvalidImageName": NotReadyReason.IMAGE_PULL,
    "ErrImageNeverPull": NotReadyReason.IMAGE_PULL,
    "CrashLoopBackOff": NotReadyReason.CRASH_LOOP,
    "CreateContainerError": NotReadyReason.INVALID_POD,
    "RunContainerError": NotReadyReason.INVALID_POD,
}
"""The kubelet's reasons for a container that waits, where they mean one thing each."""
_ABSENT = (
    (re.compile(r"\bsecret\b", re.IGNORECASE), NotReadyReason.MISSING_SECRET),
    (re.compile(r"\bconfigmap\b", re.IGNORECASE), NotReadyReason.MISSING_CONFIG_MAP),
)
"""What the message of `CreateContainerConfigError` names."""
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
"""Worst first: of several pods the worst-off is told about."""
ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that have ended for good: evicted, preempted, refused by the kubelet, on a lost
node. Their ReplicaSet replaces them, and no container of theirs restarts."""
MESSAGE_LENGTH = 400
"""How much of a message is kept: its end, where programs say what ended them."""


@dataclass(frozen=True, slots=True)
class PodProblem:
    """What keeps a pod from being ready."""

    cause: NotReadyReason
    message: str


def most_severe(troubles: Iterable[PodProblem]) -> PodProblem | None:
    """Choose the trouble that matters most."""
    return min(troubles, key=lambda trouble: _SEVERITY.index(trouble.cause), default=None)


def diagnose(pod: Manifest) -> PodProblem | None:
    """Say what keeps *pod* from being ready; None if nothing does or nothing is known yet.

    A pod that has ended says nothing about its revision: what matters is its successor's state.
    """
    status = pod.get("status") or {}
    if has_ended(pod) or condition(status, "Ready") == "True":
        return None
    for found in status.get("conditions") or ():
        if found["type"] == "PodScheduled" and found.get("reason") == "Unschedulable":
            return PodProblem(NotReadyReason.UNSCHEDULABLE, _short(found.get("message", "")))
    fetching = tuple(map(_of_container, status.get("initContainerStatuses") or ()))
    serving = tuple(map(_of_container, status.get("containerStatuses") or ()))
    bad = most_severe(one for one in (*fetching, *serving) if one is not None)
    if bad is not None:
        return bad
    if any(_running(one) for one in status.get("initContainerStatuses") or ()):
        return PodProblem(NotReadyReason.FETCHING, "The model's files are being fetched.")
    if any(_running(one) for one in status.get("containerStatuses") or ()):
        return PodProblem(NotReadyReason.LOADING, "Triton is loading the model.")
    return None


def has_ended(pod: Manifest) -> bool:
    """Whether *pod* has ended for good: it holds no resources, and its successor counts."""
    return (pod.get("status") or {}).get("phase") in ENDED


def restarts(pod: Manifest) -> int:
    """Count the restarts of the container that restarted most."""
    status = pod.get("status") or {}
    both = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return max([int(one.get("restartCount", 0)) for one in both], default=0)


def condition(status: Manifest, type_: str) -> str | None:
    """Read a condition's status; None if there is no such condition."""
    for one in status.get("conditions") or ():
        if one["type"] == type_:
            return str(one["status"])
    return None


def _of_container(container: Manifest) -> PodProblem | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason"), waiting.get("message") or ""
    if reason == "CreateContainerConfigError":
        causes = (cause for pattern, cause in _ABSENT if pattern.search(message))
        return PodProblem(next(causes, NotReadyReason.INVALID_POD), _short(message))
    ended = _ended(container)
    if reason in _WAITING:
        cause = _WAITING[reason]
        told = (
            _termination_message(ended)
            if cause is NotReadyReason.CRASH_LOOP and ended
            else message
        )
        return PodProblem(cause, _short(told or message))
    # Between two crashes it runs for a while, which is no better.
    if ended and ended.get("exitCode") and not container.get("ready"):
        return PodProblem(NotReadyReason.CRASH_LOOP, _short(_termination_message(ended)))
    return None


def _ended(container: Manifest) -> Manifest | None:
    """Find the last end of a container that is not done yet."""
    for kept in ("state", "lastState"):
        ended: Manifest | None = (container.get(kept) or {}).get("terminated")
        if ended:
            return ended
    return None


def _termination_message(ended: Manifest) -> str:
    said = (ended.get("message") or "").strip()
    code = f"exit code {ended.get('exitCode')}"
    if reason := ended.get("reason"):
        code += f", {reason}"
    return f"{said} ({code})" if said else f"It ended with {code}."


def _running(container: Manifest) -> bool:
    return "running" in (container.get("state") or {})


def _short(message: Any) -> str:
    text = " ".join(str(message).split())
    return text if len(text) <= MESSAGE_LENGTH else "…" + text[-MESSAGE_LENGTH:]
