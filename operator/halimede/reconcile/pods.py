"""Why pods are not ready: read from what the scheduler, the kubelet and Triton say."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from halimede.api.base import Manifest
from halimede.rollout.facts import Cause

_WAITING = {
    "ErrImagePull": Cause.IMAGE_PULL,
    "ImagePullBackOff": Cause.IMAGE_PULL,
    "InvalidImageName": Cause.IMAGE_PULL,
    "ErrImageNeverPull": Cause.IMAGE_PULL,
    "CrashLoopBackOff": Cause.CRASH_LOOP,
    "CreateContainerError": Cause.INVALID_POD,
    "RunContainerError": Cause.INVALID_POD,
}
"""The kubelet's reasons for a container that waits, where they mean one thing each."""
_ABSENT = (
    (re.compile(r"\bsecret\b", re.IGNORECASE), Cause.MISSING_SECRET),
    (re.compile(r"\bconfigmap\b", re.IGNORECASE), Cause.MISSING_CONFIG_MAP),
)
"""What the message of `CreateContainerConfigError` names."""
_SEVERITY = (
    Cause.APPLY_FAILED,
    Cause.MISSING_SECRET,
    Cause.MISSING_CONFIG_MAP,
    Cause.INVALID_POD,
    Cause.IMAGE_PULL,
    Cause.CRASH_LOOP,
    Cause.QUOTA,
    Cause.UNSCHEDULABLE,
    Cause.LOADING,
    Cause.FETCHING,
)
"""Worst first: of several pods the worst-off is told about."""
ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that have ended for good: evicted, preempted, refused by the kubelet, on a lost
node. Their ReplicaSet replaces them, and no container of theirs restarts."""
MESSAGE_LENGTH = 400
"""How much of a message is kept: its end, where programs say what ended them."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a pod from being ready."""

    cause: Cause
    message: str


def worst(troubles: Iterable[Trouble]) -> Trouble | None:
    """Choose the trouble that matters most."""
    return min(troubles, key=lambda trouble: _SEVERITY.index(trouble.cause), default=None)


def trouble(pod: Manifest) -> Trouble | None:
    """Say what keeps *pod* from being ready; None if nothing does or nothing is known yet.

    A pod that has ended says nothing about its revision: what matters is its successor's state.
    """
    status = pod.get("status") or {}
    if has_ended(pod) or condition(status, "Ready") == "True":
        return None
    for found in status.get("conditions") or ():
        if found["type"] == "PodScheduled" and found.get("reason") == "Unschedulable":
            return Trouble(Cause.UNSCHEDULABLE, _short(found.get("message", "")))
    fetching = tuple(map(_of_container, status.get("initContainerStatuses") or ()))
    serving = tuple(map(_of_container, status.get("containerStatuses") or ()))
    bad = worst(one for one in (*fetching, *serving) if one is not None)
    if bad is not None:
        return bad
    if any(_running(one) for one in status.get("initContainerStatuses") or ()):
        return Trouble(Cause.FETCHING, "The model's files are being fetched.")
    if any(_running(one) for one in status.get("containerStatuses") or ()):
        return Trouble(Cause.LOADING, "Triton is loading the model.")
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


def _of_container(container: Manifest) -> Trouble | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason"), waiting.get("message") or ""
    if reason == "CreateContainerConfigError":
        causes = (cause for pattern, cause in _ABSENT if pattern.search(message))
        return Trouble(next(causes, Cause.INVALID_POD), _short(message))
    ended = _ended(container)
    if reason in _WAITING:
        cause = _WAITING[reason]
        told = _last_words(ended) if cause is Cause.CRASH_LOOP and ended else message
        return Trouble(cause, _short(told or message))
    # Between two crashes it runs for a while, which is no better.
    if ended and ended.get("exitCode") and not container.get("ready"):
        return Trouble(Cause.CRASH_LOOP, _short(_last_words(ended)))
    return None


def _ended(container: Manifest) -> Manifest | None:
    """Find the last end of a container that is not done yet."""
    for kept in ("state", "lastState"):
        ended: Manifest | None = (container.get(kept) or {}).get("terminated")
        if ended:
            return ended
    return None


def _last_words(ended: Manifest) -> str:
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
