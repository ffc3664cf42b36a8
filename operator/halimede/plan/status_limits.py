"""Trim the status so that it stays under 14 KB, however long a rollout takes.

Every write of it goes to every watch, and stays in etcd's history for a while.
"""

from typing import TypeVar

from halimede.api.status import Evidence, FinishedRollout, RolloutStatus, Status

MAX_MESSAGE_LENGTH = 300
"""Maximum characters of a message in the status; that of its Event may have 1,024."""

_Rollout = TypeVar("_Rollout", RolloutStatus, FinishedRollout)
_WithMessage = TypeVar("_WithMessage", Evidence, RolloutStatus, FinishedRollout)


def trim(status: Status) -> Status:
    """Truncate messages, and remove the last rollout's evidence once the current one has some."""
    model, rollout, last = status.model, status.rollout, status.last_rollout
    if model is not None and model.failure:
        model = model.evolve(failure=truncate(model.failure))
    if last is not None and last.evidence and rollout is not None and rollout.evidence:
        last = last.evolve(evidence=None)
    rollout, last = rollout and _with_short_messages(rollout), last and _with_short_messages(last)
    if (model, rollout, last) == (status.model, status.rollout, status.last_rollout):
        return status
    return status.evolve(model=model, rollout=rollout, last_rollout=last)


def truncate(message: str) -> str:
    """Truncate a message to `MAX_MESSAGE_LENGTH` characters.

    >>> len(truncate("x" * 1000))
    300
    """
    return (
        message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"
    )


def _with_short_messages(rollout: _Rollout) -> _Rollout:
    rollout, evidence = _with_short_message(rollout), rollout.evidence
    if evidence is None or (trimmed := _with_short_message(evidence)) is evidence:
        return rollout
    return rollout.evolve(evidence=trimmed)


def _with_short_message(holder: _WithMessage) -> _WithMessage:
    message = holder.message or ""
    if len(message) <= MAX_MESSAGE_LENGTH:
        return holder
    return holder.evolve(message=truncate(message))
