"""What the status leaves out, so that it stays small: under 8 KB, however long a rollout takes.

Every write of it goes to every watch, and stays in etcd's history for a while.
"""

from typing import TypeVar

from halimede.api.conditions import Condition
from halimede.api.status import Evidence, FinishedRollout, RolloutStatus, Status

LONGEST = 300
"""Characters of a message; the Event that tells of the same has up to 1,024."""

_Rollout = TypeVar("_Rollout", RolloutStatus, FinishedRollout)
_Told = TypeVar("_Told", Condition, Evidence, RolloutStatus, FinishedRollout)


def brief(status: Status) -> Status:
    """Shorten messages; the last rollout's evidence goes when another one's comes."""
    rollout, last = status.rollout, status.last_rollout
    if last is not None and rollout is not None and rollout.evidence is not None:
        last = last.model_copy(update={"evidence": None})
    return status.model_copy(
        update={
            "rollout": rollout and _with_evidence(rollout),
            "last_rollout": last and _with_evidence(last),
            "conditions": tuple(map(_shortened, status.conditions)),
        }
    )


def _with_evidence(rollout: _Rollout) -> _Rollout:
    evidence, rollout = rollout.evidence, _shortened(rollout)
    if evidence is None or (brief_one := _shortened(evidence)) is evidence:
        return rollout
    return rollout.model_copy(update={"evidence": brief_one})


def _shortened(told: _Told) -> _Told:
    message = told.message or ""
    if len(message) <= LONGEST:
        return told
    return told.model_copy(update={"message": message[: LONGEST - 1] + "…"})
