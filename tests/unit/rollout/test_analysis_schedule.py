"""When polls are due."""

import pytest

from halimede.api.status import RolloutStatus, State
from halimede.rollout.analysis_schedule import due_at, seconds_to_poll
from halimede.rollout.steps import earliest_pass
from tests.support.rollouts import SETTINGS, MachineWorld, canary_at

INTERVAL = SETTINGS.analysis.interval_seconds
MINIMUM = SETTINGS.canary.steps[0].min_seconds


def rollout_of(world: MachineWorld) -> RolloutStatus:
    """Return the rollout under way."""
    assert world.status.rollout is not None
    return world.status.rollout


@pytest.mark.parametrize(
    ("remaining", "seconds"),
    [(-5, 15), (0, 15), (14, 15), (15, 15), (16, 16), (29, 15), (46, 46 / 3), (61, 15.25)],
)
def test_polls_are_spread_evenly_until_a_step_may_pass(remaining: float, seconds: float) -> None:
    """They are never closer than the interval, and at most a quarter further apart."""
    assert seconds_to_poll(15.0, remaining) == pytest.approx(seconds)


def test_last_poll_before_a_step_may_pass_is_due_when_it_may() -> None:
    """A weight that was live a second after the last poll costs no whole interval."""
    rollout = rollout_of(canary_at(State.ANALYSING))
    now = rollout.step_started_at or 0.0
    polled = rollout.evolve(polled_at=now - 1)
    times = []
    for _ in range(4):
        due = due_at(polled, SETTINGS)
        assert due is not None
        times.append(due)
        polled = polled.evolve(polled_at=due)
    assert times[-1] == now + MINIMUM == earliest_pass(polled, SETTINGS)
    assert due_at(polled, SETTINGS) == times[-1] + INTERVAL


def test_step_counts_from_when_its_weight_is_live() -> None:
    """The time in which proxies follow the weight is part of `minSeconds` and of the warm-up."""
    world = canary_at(State.SHIFTING)
    world.until(State.ANALYSING)
    rollout = rollout_of(world)
    assert rollout.step_started_at == rollout.weight_applied_at
    assert world.now - (rollout.weight_applied_at or 0) >= SETTINGS.analysis.settle_seconds
    warm = (rollout.step_started_at or 0) + SETTINGS.analysis.warmup_seconds
    assert due_at(rollout.evolve(polled_at=None), SETTINGS) == warm


def test_step_counts_from_the_end_of_a_pause_while_its_weight_settled() -> None:
    """A weight that was live before the pause leaves the step all of its time."""
    world = canary_at(State.SHIFTING)
    world.step()
    world.command = "pause@1"
    world.run(400)
    world.command = "resume@2"
    world.step()
    resumed = world.now
    world.until(State.ANALYSING)
    assert rollout_of(world).step_started_at == resumed


def test_nothing_passes_while_no_verdict_is_awaited() -> None:
    """While the weight is not live, polls have their usual distance."""
    rollout = rollout_of(canary_at(State.SHIFTING)).evolve(polled_at=100.0)
    assert earliest_pass(rollout, SETTINGS) is None
    assert due_at(rollout.evolve(weight=10), SETTINGS) == 100.0 + INTERVAL
