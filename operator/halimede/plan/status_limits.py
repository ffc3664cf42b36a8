"""What the status leaves out, so that it stays small: under 12 KB, however long a rollout takes.

Every write of it goes to every watch, and stays in etcd's history for a while.
"""

from typing import TypeVar

from halimede.api.status import Evidence, FinishedRollout, RolloutStatus, Status

MAX_MESSAGE_LENGTH = 300
"""Characters of a message; the Event that tells of the same has up to 1,024."""

_Rollout = TypeVar("_Rollout", RolloutStatus, FinishedRollout)
_Told = TypeVar("_Told", Evidence, RolloutStatus, FinishedRollout)


def trim(status: Status) -> Status:
    """Shorten what is told of rollouts; the last one's evidence goes when another one's comes."""
    rollout, last = status.rollout, status.last_rollout
    if last is not None and last.evidence and rollout is not None and rollout.evidence:
        last = last.evolve(evidence=None)
    rollout, last = rollout and _with_evidence(rollout), last and _with_evidence(last)
    if rollout is status.rollout and last is status.last_rollout:
        return status
    return status.evolve(rollout=rollout, last_rollout=last)


def truncate(message: str) -> str:
    """Cut a message that is too long.

    >>> len(truncate("x" * 1000))
    300
    """
    return (
        message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"
    )


def _with_evidence(rollout: _Rollout) -> _Rollout:
    rollout, evidence = _shortened(rollout), rollout.evidence
    if evidence is None or (shortened := _shortened(evidence)) is evidence:
        return rollout
    return rollout.evolve(evidence=shortened)


def _shortened(told: _Told) -> _Told:
    message = told.message or ""
    if len(message) <= MAX_MESSAGE_LENGTH:
        return told
    return told.evolve(message=truncate(message))
