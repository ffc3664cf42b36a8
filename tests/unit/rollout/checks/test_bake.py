"""The bake: the new revision has all traffic, and the old one is still at full scale."""

import pytest

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.api.status import State
from halimede.rollout.analysis_schedule import required_polls
from halimede.rollout.requeue import requeue_after
from tests.support.rollouts import BLUE_GREEN, SETTINGS, MachineWorld, canary_at, changed


def settings(seconds: int) -> MachineWorld:
    """Make a world whose canaries bake for *seconds*."""
    canary = SETTINGS.canary.evolve(bake_seconds=seconds)
    return MachineWorld(settings=changed(SETTINGS, canary=canary))


@pytest.mark.transition("bake-started", "bake-passed")
def test_a_canary_bakes_for_its_time_before_it_is_stable() -> None:
    """The old revision keeps all its pods until the bake ends."""
    world = canary_at(State.BAKING, settings(300))
    begun = world.bake_began
    world.until(State.DRAINING)
    assert world.now - begun == 300 + SETTINGS.analysis.settle_seconds + 5
    assert world.status.stable is not None
    assert world.status.stable.revision == "v2"


@pytest.mark.parametrize("world", [settings(90), MachineWorld(settings=BLUE_GREEN)])
def test_reconcile_is_due_at_the_end_of_the_bake(world: MachineWorld) -> None:
    """The next reconcile is scheduled for that time, because no event triggers it."""
    automatic = world.settings.blue_green.evolve(auto_promote=True)
    world.settings = changed(world.settings, blue_green=automatic)
    canary_at(State.BAKING, world)
    world.status = world.status.evolve(
        rollout=world.context().rollout.evolve(polled_at=world.now + 1e6)
    )
    seconds = 60 if world.settings.strategy == "BlueGreen" else 90
    world.now = world.bake_began + seconds - 7
    assert requeue_after(world.status, world.settings, world.now) == 7


def test_bakes_time_begins_when_its_weight_is_live() -> None:
    """The time in which proxies follow the weight is a part of the bake."""
    world = canary_at(State.PROMOTING, settings(300))
    world.step()
    live = world.now
    world.until(State.BAKING)
    assert world.bake_began == live
    assert world.now - live >= SETTINGS.analysis.settle_seconds


@pytest.mark.transition("bake-passed")
def test_without_a_bake_a_canary_is_stable_at_once() -> None:
    """`bakeSeconds: 0` disables the bake."""
    world = canary_at(State.BAKING, settings(0))
    world.step()
    assert world.state is State.DRAINING
    assert world.status.rollout is not None
    assert world.status.rollout.message == "Every step passed."


@pytest.mark.parametrize("verdict", [Verdict.NO_DATA, Verdict.METRICS_DOWN])
@pytest.mark.transition("bake-passed")
def test_bake_without_data_ends_by_its_time_with_an_event(verdict: Verdict) -> None:
    """The steps were passed on evidence, so missing data neither aborts nor prolongs the bake."""
    world = canary_at(State.BAKING, settings(120))
    world.verdict = verdict
    world.now += 15
    world.step()
    assert world.last.wait is not None
    assert world.last.wait.message == (
        "Revision v2 gets 90 % of the requests and v1 the others, for comparison; the bake takes"
        f" at least 120 s. The judge says {verdict}. The bake still ends on time."
    )
    world.now += 45
    world.step()
    world.now += 60
    world.until(State.DRAINING)
    assert world.status.rollout is not None
    assert world.status.rollout.message == "Every step passed. The bake ended without a verdict."


@pytest.mark.transition("bake-passed")
def test_a_bake_without_polls_is_extended() -> None:
    """After hours without an operator one poll is not enough to detect a bad revision."""
    world = canary_at(State.BAKING, settings(300))
    world.verdict = Verdict.CONTINUE
    world.now += 7200
    weights = []
    for _ in range(3):
        world.step()
        weights.append(world.context().rollout.weight)
        world.now += 15
    assert weights == [90, 90, 100]
    world.until(State.DRAINING, passes=4)


@pytest.mark.parametrize(
    ("seconds", "polls"), [(0, 0), (30, 0), (44, 0), (45, 1), (75, 3), (86400, 3)]
)
def test_a_bake_requires_the_polls_that_it_has_time_for(seconds: float, polls: int) -> None:
    """At most three polls are required: enough to detect a revision that fails every request."""
    assert required_polls(seconds, Analysis(warmup_seconds=30, interval_seconds=15)) == polls
