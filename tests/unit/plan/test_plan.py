"""The description of a plan in the log."""

import pytest

from halimede.api.conditions import Condition, ConditionType
from halimede.api.reasons import Reason
from halimede.api.rollout import Strategy
from halimede.api.status import RolloutStatus, State, Status
from halimede.plan.plan import describe_transition


def _status(reason: Reason, state: State | None = None, weight: int = 0, steps: int = 0) -> Status:
    ready = Condition(
        type=ConditionType.READY,
        status="Unknown",
        reason=reason,
        message="",
        observed_generation=1,
        last_transition_time=0,
    )
    rollout = state and RolloutStatus(
        id="1",
        strategy=Strategy.CANARY,
        base="aaaaaaaa",
        revision="bbbbbbbb",
        state=state,
        state_since=0,
        started_at=0,
        last_progress_at=0,
        step=steps and 1,
        steps=steps,
        weight=weight,
    )
    return Status(rollout=rollout or None, conditions=(ready,))


IDLE = _status(Reason.SERVING)
STARTING = _status(Reason.ROLLING_OUT, State.STARTING)
SHIFTING = _status(Reason.ROLLING_OUT, State.SHIFTING, 5, 3)
HELD = _status(Reason.METRICS_HOLD, State.SHIFTING, 5, 3)


@pytest.mark.parametrize(
    ("before", "after", "described"),
    [
        (IDLE, None, None),
        (IDLE, IDLE, None),
        (Status(), IDLE, "Idle -> Idle (Serving)"),
        (IDLE, STARTING, "Idle (Serving) -> Starting bbbbbbbb weight 0 % (RollingOut)"),
        (
            SHIFTING,
            HELD,
            (
                "Shifting bbbbbbbb step 2/3 weight 5 % (RollingOut)"
                " -> Shifting bbbbbbbb step 2/3 weight 5 % (MetricsHold)"
            ),
        ),
    ],
)
def test_transition(before: Status, after: Status | None, described: str | None) -> None:
    """It has the rollout's state, step and weight before and after, and Ready's reason."""
    assert describe_transition(before, after) == described
