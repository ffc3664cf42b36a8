"""Conditions: when their transition time changes, and when they are there."""

from halimede.api.conditions import Condition, ConditionType, drop_condition, set_condition


def ready(status: str, reason: str = "Serving", at: float = 1.0) -> Condition:
    """Make a Ready condition."""
    return Condition(
        type=ConditionType.READY,
        status=status,
        reason=reason,
        message="",
        observed_generation=1,
        last_transition_time=at,
    )


AVAILABLE = ready("True").model_copy(update={"type": ConditionType.AVAILABLE})


def test_transition_time_is_that_of_the_status() -> None:
    """A new reason alone is no transition."""
    before = (ready("False", "Deploying", at=1.0), AVAILABLE)
    after = set_condition(before, ready("False", "Unavailable", at=9.0))
    assert after == (ready("False", "Unavailable", at=1.0), AVAILABLE)


def test_transition() -> None:
    """A new status is one, and takes the old one's place."""
    after = set_condition((ready("False", at=1.0), AVAILABLE), ready("True", at=9.0))
    assert after == (ready("True", at=9.0), AVAILABLE)


def test_first_time() -> None:
    """A condition that was not there comes last."""
    assert set_condition((AVAILABLE,), ready("True")) == (AVAILABLE, ready("True"))


def test_abnormal_true_ones_go() -> None:
    """A condition that is dropped leaves the others."""
    assert drop_condition((ready("True"), AVAILABLE), ConditionType.READY) == (AVAILABLE,)
