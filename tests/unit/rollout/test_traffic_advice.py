"""Advice for a step that has too few requests."""

from dataclasses import replace

import pytest

from halimede.api.analysis import OnTimeout
from halimede.api.rollout import Canary, Rollout, Step
from halimede.api.status import Evidence, RolloutStatus, SourceEvidence, State
from halimede.judge.thresholds import levels
from halimede.rollout.context import Decision
from halimede.rollout.traffic_advice import advice_for_step, report_shortage, shortages
from tests.support.rollouts import MachineWorld, canary_at

SETTINGS = Rollout(canary=Canary(steps=(Step(weight=5), Step(weight=25), Step(weight=50))))


def begun(per_second: float | None, errors: int = 0) -> RolloutStatus:
    """Return a rollout with this traffic and *errors* per 1000 stable requests."""
    world = canary_at(State.ANALYSING)
    assert world.status.rollout is not None
    evidence = Evidence(
        levels=levels(SETTINGS.analysis, 3, errors / 1000, 0.05),
        requests_per_second=per_second,
        sources=(
            SourceEvidence(
                source="Router",
                begun_at=0,
                watermark=0,
                past_requests=1000,
                past_errors=errors,
            ),
        ),
    )
    return world.status.rollout.evolve(steps=3, evidence=evidence)


def test_enough_requests_need_no_word() -> None:
    """Ten requests/s are enough for the default steps."""
    assert shortages(begun(10.0, errors=5), SETTINGS) == ()
    assert advice_for_step(begun(10.0, errors=5), SETTINGS) == ""


def test_the_first_step_is_named_with_the_weight_that_would_do() -> None:
    """The least weight w with n <= rate * w * time, and the least time at the present weight."""
    result = shortages(begun(0.5), SETTINGS)[0]
    judged = 1800 - 30 - 15
    assert (result.index, result.available) == (0, int(0.5 * 0.05 * judged))
    assert result.weight is not None
    assert result.requests <= 0.5 * result.weight / 100 * judged
    assert result.requests > 0.5 * (result.weight - 1) / 100 * judged
    assert result.max_seconds is not None
    assert result.requests <= 0.5 * 0.05 * (result.max_seconds - 45) + 1


def test_it_is_said_with_what_it_leads_to() -> None:
    """The message says whether the step will pause or abort, by `onInconclusive`."""
    text = advice_for_step(begun(0.5), SETTINGS)
    assert text.startswith(
        "Too few requests: step 1 needs about 91 requests and gets 43 in its maxSeconds"
    )
    assert "at 0.5 requests/s the step takes about 61 min: raise its weight to 11" in text
    assert " (1800), so the rollout pauses there; " in text
    strict = SETTINGS.analysis.evolve(on_inconclusive=OnTimeout.ABORT)
    aborts = SETTINGS.evolve(analysis=strict)
    assert "the rollout aborts there" in advice_for_step(begun(0.5), aborts)


def test_only_the_current_step_is_reported() -> None:
    """Only the current step is named if the second has enough requests."""
    assert advice_for_step(begun(0.5).evolve(step=1), SETTINGS) == ""
    assert shortages(begun(0.5).evolve(step=1), SETTINGS) == ()


def test_shortage_of_a_later_step_is_reported_early() -> None:
    """The second step is named during the first one, which has enough time."""
    patient = Canary(steps=(Step(weight=5, max_seconds=7200), Step(weight=6), Step(weight=50)))
    short = SETTINGS.evolve(canary=patient)
    assert [one.index for one in shortages(begun(0.5), short)] == [1]
    assert advice_for_step(begun(0.5), short).startswith("Too few requests: step 2 needs about")


def test_after_the_steps_nothing_is_short() -> None:
    """In the bake there is no advice, because no step is left."""
    baking = begun(0.5).evolve(state=State.BAKING)
    assert shortages(baking, SETTINGS) == ()


def test_a_shortage_is_reported_once() -> None:
    """The status records that the Event was sent, even if the shortage ends and returns."""
    world = canary_at(State.ANALYSING)
    ctx = replace(world.context(), goal=replace(world.context().goal, settings=SETTINGS))
    status = world.status.evolve(rollout=begun(0.5))
    first = report_shortage(Decision(status), ctx)
    assert [event.reason for event in first.events] == ["TrafficTooLow"]
    assert first.status.rollout is not None
    assert first.status.rollout.traffic_low_since == ctx.now
    assert report_shortage(Decision(first.status), ctx) == Decision(first.status)
    enough = status.evolve(rollout=begun(10.0))
    assert report_shortage(Decision(enough), ctx) == Decision(enough)


def test_fixed_steps_are_not_reported() -> None:
    """The current spec counts."""
    mended = Canary(steps=(Step(weight=11), Step(weight=25), Step(weight=50)))
    assert shortages(begun(0.5), SETTINGS.evolve(canary=mended)) == ()


def test_a_step_without_traffic_needs_none() -> None:
    """Weight 0 is for manual tests; the warm-up belongs to the first weight above it."""
    tested = Canary(steps=(Step(weight=0), Step(weight=5), Step(weight=50)))
    result = shortages(begun(0.5), SETTINGS.evolve(canary=tested))
    assert [one.index for one in result] == [1]
    assert result[0].available == int(0.5 * 0.05 * (1800 - 45))


@pytest.mark.parametrize("per_second", [None, 0.0])
def test_unknown_traffic_is_not_complained_of(per_second: float | None) -> None:
    """There is no advice for a model without requests yet, or a new Prometheus."""
    assert shortages(begun(per_second), SETTINGS) == ()


def test_where_no_weight_would_do_none_is_proposed() -> None:
    """For one request in five minutes no weight is proposed."""
    result = shortages(begun(0.0031), SETTINGS)[0]
    assert (result.weight, result.max_seconds) == (None, result.seconds)


def test_a_fast_way_back_needs_no_requests() -> None:
    """A warm revision has no steps."""
    world = MachineWorld().serve().ask_for("v2")
    world.until(State.DRAINING)
    world.until(None)
    world.ask_for("v1").until(State.BAKING)
    assert world.status.rollout is not None
    evidence = begun(0.01).evidence
    back = world.status.rollout.evolve(evidence=evidence)
    assert shortages(back, SETTINGS) == ()
