"""The base class of all API types."""

import pytest

from halimede.api.rollout import Strategy
from halimede.api.status import MOST_WARM, RolloutStatus, State, Status, WarmRevision

ROLLOUT = RolloutStatus(
    id="1",
    strategy=Strategy.CANARY,
    base="aaaaaaaa",
    revision="bbbbbbbb",
    state=State.STARTING,
    state_since=0,
    started_at=0,
    last_progress_at=0,
)


def test_evolve_changes_a_copy() -> None:
    """The original does not change, and other fields are kept."""
    after = ROLLOUT.evolve(state=State.SHIFTING, weight=5, weight_applied_at=1.5)
    assert (after.state, after.weight, after.weight_applied_at) == (State.SHIFTING, 5, 1.5)
    assert (ROLLOUT.state, ROLLOUT.weight, after.id) == (State.STARTING, 0, "1")


def test_evolve_rejects_an_unknown_field() -> None:
    """A misspelled field or a JSON name raises, because it would be lost when written."""
    with pytest.raises(TypeError, match="RolloutStatus has no field 'stpe'"):
        ROLLOUT.evolve(stpe=3)
    with pytest.raises(TypeError, match="has no field 'stateSince'"):
        ROLLOUT.evolve(stateSince=3.0)


@pytest.mark.parametrize(
    "change",
    [
        {"step": "x"},
        {"step": "3"},
        {"state": "Shifting"},
        {"evidence": {}},
        {"weight_applied_at": "2026-01-01T00:00:00Z"},
        {"revision": None},
    ],
)
def test_evolve_rejects_a_value_of_another_type(change: dict[str, object]) -> None:
    """Values of another type raise instead of being converted."""
    (name,) = change
    with pytest.raises(TypeError, match=rf"RolloutStatus\.{name}: "):
        ROLLOUT.evolve(**change)


def test_evolve_leaves_bounds_to_later_steps() -> None:
    """Bounds are not checked: a list may be too long until it is trimmed."""
    warm = (WarmRevision(revision="a", warm_until=0),) * (MOST_WARM + 1)
    assert Status().evolve(warm_revisions=warm).warm_revisions == warm
