"""Pods of a step that differ from its weight, and a first step of weight 0."""

import pytest

from halimede.api.reasons import Verdict
from halimede.api.rollout import Canary, Scale, Step, StepPause
from halimede.api.status import State
from halimede.rollout.requeue import requeue_after
from tests.support.rollouts import SETTINGS, MachineWorld, canary_at, changed, unready

SMOKE = Step(weight=0, min_seconds=120, scale=Scale(replicas=2))


def world(*steps: Step, replicas: int = 10) -> MachineWorld:
    """Make a world whose canaries have these steps."""
    settings = changed(SETTINGS, canary=Canary(steps=steps))
    return MachineWorld(settings=settings, replicas=replicas)


def pods(*steps: Step, replicas: int = 10) -> list[int]:
    """List how many pods a canary has while each of its steps is judged."""
    made, found = world(*steps, replicas=replicas).serve().ask_for("v2"), []
    for _ in steps:
        made.until(State.ANALYSING)
        found.append(made.desired["v2"])
        made.until(State.SCALING_UP if len(found) == len(steps) else State.SHIFTING)
    return found


@pytest.mark.parametrize(
    ("scale", "count"),
    [
        (None, 1),
        (Scale(replicas=4), 4),
        (Scale(percent=35), 4),
        (Scale(percent=1), 1),
        (Scale(replicas=20), 20),
    ],
)
def test_scale_is_what_the_canary_has(scale: Scale | None, count: int) -> None:
    """The scale is a number or a percentage of the stable pods, however small the weight."""
    assert pods(Step(weight=5, scale=scale)) == [count]


def test_scale_below_the_weights_need_is_raised() -> None:
    """Half of the requests need at least half of the pods, whatever the scale."""
    assert pods(Step(weight=50, scale=Scale(replicas=1))) == [5]


def test_scale_may_fall_from_step_to_step() -> None:
    """A step with a scale has those pods; one without keeps the present ones."""
    steps = (
        Step(weight=5, scale=Scale(replicas=8)),
        Step(weight=10),
        Step(weight=20, scale=Scale(percent=30)),
        Step(weight=50),
    )
    assert pods(*steps) == [8, 8, 3, 5]


def test_scale_that_is_lowered_in_mid_step_leaves_what_the_weight_needs() -> None:
    """An edit never removes pods that the weight needs."""
    made = canary_at(State.ANALYSING, world(Step(weight=40, scale=Scale(replicas=10))))
    edited = Canary(steps=(Step(weight=40, scale=Scale(replicas=1)),))
    made.settings = changed(made.settings, canary=edited)
    made.verdict = Verdict.CONTINUE
    made.run(3)
    assert (made.desired["v2"], made.route) == (4, (("v1", 60), ("v2", 40)))


def test_all_pods_of_a_scale_are_awaited() -> None:
    """A step begins when all pods of its scale are ready, not only those for its weight."""
    made = world(Step(weight=5, scale=Scale(replicas=4)))
    made.broken["v2"] = unready(ready=3)
    made.serve().ask_for("v2").run(20)
    assert made.state is State.STARTING
    made.broken["v2"] = unready(ready=4)
    made.until(State.ANALYSING)


def test_large_scale_falls_to_full_scale_for_the_promotion() -> None:
    """A scale belongs to a step; with all traffic the canary is at full scale."""
    made = world(Step(weight=50, scale=Scale(replicas=30))).serve().ask_for("v2")
    made.until(State.PROMOTING)
    assert made.desired["v2"] == 10


def test_step_without_weight_takes_its_time_and_no_traffic() -> None:
    """A step of weight 0 lasts `minSeconds`, without users and without analysis."""
    made = world(SMOKE, Step(weight=10)).serve().ask_for("v2")
    made.verdict = Verdict.NO_DATA
    made.until(State.ANALYSING)
    begun = made.now
    assert (made.route, made.desired["v2"]) == ((("v1", 100), ("v2", 0)), 2)
    assert made.status.rollout is not None
    assert made.status.rollout.evidence is None
    made.until(State.SHIFTING)
    assert 120 <= made.now - begun <= 125
    made.until(State.ANALYSING)
    made.run(20, seconds=20)
    assert made.route == (("v1", 90), ("v2", 10))
    assert made.status.rollout.step == 1


def test_step_without_weight_waits_for_its_pods() -> None:
    """Manual tests wait for all pods of the scale."""
    made = canary_at(State.PRIMING, world(SMOKE, Step(weight=10)))
    made.broken["v2"] = unready(ready=1)
    made.until(State.SHIFTING)
    made.run(20)
    assert made.state is State.SHIFTING
    made.broken.pop("v2")
    made.until(State.ANALYSING)


def test_step_without_weight_can_wait_for_promote() -> None:
    """A step of weight 0 with a manual pause waits for `promote`."""
    smoke = Step(weight=0, min_seconds=0, pause=StepPause())
    made = canary_at(State.STEP_PAUSED, world(smoke, Step(weight=10)))
    made.run(100, seconds=60)
    assert made.state is State.STEP_PAUSED
    made.command = "promote@1"
    made.until(State.ANALYSING)
    assert made.route == (("v1", 90), ("v2", 10))


def test_step_without_weight_is_waited_for_by_the_clock() -> None:
    """The end of the step schedules a reconcile, because no poll does."""
    made = canary_at(State.ANALYSING, world(SMOKE, Step(weight=10)))
    made.now += 20
    assert requeue_after(made.status, made.settings, made.now) == pytest.approx(100)


def test_step_without_weight_that_is_taken_away_is_left() -> None:
    """The rollout continues at the first remaining step."""
    made = canary_at(State.ANALYSING, world(SMOKE, Step(weight=10)))
    made.settings = changed(made.settings, canary=Canary(steps=(Step(weight=10),)))
    made.until(State.ANALYSING)
    assert made.route == (("v1", 90), ("v2", 10))
