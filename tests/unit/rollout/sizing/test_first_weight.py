"""The first weight, chosen by the traffic if the spec has no steps."""

import pytest

from halimede.api.rollout import Canary, Rollout, Step
from halimede.api.status import Evidence, Outcome, RolloutStatus, State
from halimede.rollout.sizing.first_weight import (
    choose_first_weight,
    effective_settings,
    report_first_weight,
    weight_for,
    with_first_weight,
)
from halimede.rollout.steps import remap_steps
from tests.support.rollouts import canary_at

OPEN = Rollout()
"""Settings without steps."""


def begun(per_second: float | None, **changes: object) -> RolloutStatus:
    """Return a rollout at its first step with this traffic in its evidence."""
    rollout = canary_at(State.ANALYSING).status.rollout
    assert rollout is not None
    fields = {"steps": 3, "weight": 5, "evidence": Evidence(requests_per_second=per_second)}
    return rollout.evolve(**(fields | changes))


def weights(settings: Rollout) -> list[int]:
    """List the weights of the steps."""
    return [step.weight for step in settings.canary.steps]


@pytest.mark.parametrize(
    ("per_second", "weight"),
    [(1000.0, 5), (4.0, 5), (3.9, 6), (2.0, 10), (1.7, 12), (0.8, 25), (0.79, 25), (0.001, 25)],
)
def test_the_least_weight_that_gives_sixty_requests_in_five_minutes(
    per_second: float, weight: int
) -> None:
    """The weight is between 5 and 25 %."""
    assert weight_for(per_second) == weight
    if 5 < weight < 25:
        assert per_second * weight / 100 * 300 >= 60
        assert per_second * (weight - 1) / 100 * 300 < 60


@pytest.mark.parametrize("weight", range(5, 26))
def test_weights_rise_and_there_are_always_three(weight: int) -> None:
    """The number of steps fixes the levels, so the weight must not change it."""
    made = weights(with_first_weight(OPEN, weight))
    assert made == [weight, 35 if weight == 25 else 25, 50]


def test_steps_of_the_spec_are_left_alone() -> None:
    """Steps in the spec override the chosen weight."""
    named = Rollout(canary=Canary(steps=(Step(weight=30),)))
    assert effective_settings(named, begun(0.2, first_weight=25)) is named
    assert choose_first_weight(begun(0.2), named).first_weight is None


def test_before_the_traffic_is_known_it_is_the_lowest() -> None:
    """The lowest weight is also used without a rollout."""
    assert weights(effective_settings(OPEN, None)) == [5, 25, 50]
    assert weights(effective_settings(OPEN, begun(None))) == [5, 25, 50]
    assert choose_first_weight(begun(None), OPEN).first_weight is None
    assert choose_first_weight(begun(0.0), OPEN).first_weight is None


def test_it_is_chosen_once() -> None:
    """Traffic that rises or falls later changes nothing."""
    rollout = choose_first_weight(begun(1.7), OPEN)
    assert rollout.first_weight == 12
    assert weights(effective_settings(OPEN, rollout)) == [12, 25, 50]
    for later in (0.01, 100.0):
        evidence = Evidence(requests_per_second=later)
        assert choose_first_weight(rollout.evolve(evidence=evidence), OPEN).first_weight == 12


@pytest.mark.parametrize(
    "changes", [{"step": 1}, {"steps": 0}, {"outcome": Outcome.FAST_PROMOTED}, {"evidence": None}]
)
def test_it_is_not_chosen_where_it_is_too_late(changes: dict[str, object]) -> None:
    """After the first step, and in rollouts without steps, no first weight is chosen."""
    assert choose_first_weight(begun(1.7, **changes), OPEN).first_weight is None


def test_a_chosen_weight_raises_the_step_under_way() -> None:
    """The evidence is kept, and the step continues at the new weight."""
    rollout = choose_first_weight(begun(1.7), OPEN)
    refit = remap_steps(rollout, effective_settings(OPEN, rollout), 99.0)
    assert (refit.state, refit.step, refit.weight) == (State.SHIFTING, 0, 5)
    assert refit.evidence == rollout.evidence


def test_the_lowest_weight_changes_and_reports_nothing() -> None:
    """With enough traffic no weight changes and no Event is sent."""
    rollout = choose_first_weight(begun(50.0), OPEN)
    assert rollout.first_weight == 5
    assert remap_steps(rollout, effective_settings(OPEN, rollout), 99.0) is rollout
    assert report_first_weight(begun(50.0), rollout, OPEN) == ()


def test_a_raise_is_reported_once() -> None:
    """The Event has the weight and the traffic that it follows from."""
    before, after = begun(1.7), choose_first_weight(begun(1.7), OPEN)
    events = report_first_weight(before, after, OPEN)
    assert [event.reason for event in events] == ["FirstWeightChosen"]
    assert "is 12 %, chosen from the traffic of 1.7 requests/s" in events[0].message
    assert report_first_weight(after, after, OPEN) == ()
    assert report_first_weight(before, None, OPEN) == ()
