"""Weights follow the remaining ready pods of both revisions."""

from typing import Any

import pytest

from halimede.api.analysis import OnTimeout
from halimede.api.reasons import Verdict
from halimede.api.rollout import Canary, OnStableDown, Step
from halimede.api.status import Evidence, State
from tests.support.rollouts import (
    BLUE_GREEN,
    SETTINGS,
    MachineWorld,
    analysis,
    canary_at,
    changed,
    unready,
)

COVER = changed(SETTINGS, on_stable_down=OnStableDown.SHIFT)
FIFTH = Canary(steps=(Step(weight=20, min_seconds=60), Step(weight=60, min_seconds=60)))


def share(world: MachineWorld) -> int:
    """Return the canary's weight in the live route."""
    return dict(world.route).get("v2", 0)


def second_step(**settings: Any) -> MachineWorld:
    """Run a canary of ten pods to 60 % of the requests."""
    world = MachineWorld(replicas=10, settings=changed(SETTINGS, canary=FIFTH, **settings))
    world.serve().ask_for("v2")
    while share(world) < 60:
        world.step()
        world.now += 5
    world.verdict = Verdict.CONTINUE
    world.until(State.ANALYSING)
    return world


@pytest.mark.transition("canary-lost-pods")
@pytest.mark.parametrize(("ready", "kept"), [(5, 20), (2, 20), (1, 10)])
def test_lost_part_of_the_pods_lowers_the_weight(ready: int, kept: int) -> None:
    """A canary keeps the highest step's weight that its ready pods can carry, else their part."""
    world = second_step()
    world.broken["v2"] = unready(ready=ready)
    world.step()
    assert (world.state, share(world)) == (State.SHIFTING, kept)
    assert world.reasons[-1] == "TrafficReduced"
    world.run(10)
    assert (world.state, share(world)) == (State.SHIFTING, kept)
    world.broken.clear()
    world.until(State.ANALYSING)
    assert share(world) == 60


@pytest.mark.transition("canary-lost-pods")
def test_lost_part_of_the_pods_lowers_no_more_than_stable_can_carry() -> None:
    """Nothing moves to a stable revision that lacks the pods for it."""
    world = second_step()
    world.broken = {"v1": unready(ready=5), "v2": unready(ready=2)}
    world.step()
    assert share(world) == 50


@pytest.mark.transition("canary-lost-pods", "pods-past-deadline")
def test_lost_part_that_stays_away_ends_the_rollout() -> None:
    """The progress deadline runs again."""
    world = second_step()
    world.broken["v2"] = unready(ready=2)
    world.run(3)
    world.now += SETTINGS.progress_deadline_seconds
    world.step()
    assert world.status.rollout is not None
    assert world.status.rollout.reason == "ProgressDeadlineExceeded"


@pytest.mark.transition("stable-lacks-pods")
def test_no_step_ends_while_stable_lacks_pods() -> None:
    """A step does not pass while the stable revision is unhealthy."""
    world = second_step()
    world.verdict = Verdict.PASS
    world.broken["v1"] = unready(ready=3)
    world.run(60)
    assert (world.state, share(world)) == (State.ANALYSING, 60)
    assert world.last.wait is not None
    assert world.last.wait.reason == "StableUnhealthy"
    world.broken.clear()
    world.until(None)
    assert share(world) == 100


@pytest.mark.transition("stable-lost-last-pod")
def test_weights_hold_while_stable_is_down() -> None:
    """By default a canary does not take over from a stable revision without pods."""
    world = second_step()
    world.broken["v1"] = unready()
    world.run(60)
    assert (world.state, share(world)) == (State.ANALYSING, 60)


@pytest.mark.transition("stable-lost-last-pod")
def test_canary_covers_for_stable_and_gives_it_back() -> None:
    """With `ShiftToCanary` no requests reach a revision without pods, in either direction."""
    world = second_step(on_stable_down=OnStableDown.SHIFT)
    world.broken["v1"] = unready()
    world.step()
    assert (world.state, share(world)) == (State.SHIFTING, 100)
    world.run(30)
    assert (world.state, world.desired["v2"]) == (State.ANALYSING, 10)
    world.broken["v1"] = unready(ready=2)
    world.step()
    assert share(world) == 80
    world.broken.clear()
    world.step()
    assert (world.state, share(world)) == (State.SHIFTING, 60)
    world.until(State.ANALYSING)
    assert world.status.rollout is not None
    assert (world.status.rollout.step, world.status.rollout.failover_since) == (1, None)


@pytest.mark.transition("stable-lost-last-pod")
def test_preview_covers_for_stable() -> None:
    """Blue-green's preview at full scale serves while the stable revision is down."""
    settings = changed(BLUE_GREEN, on_stable_down=OnStableDown.SHIFT)
    world = MachineWorld(settings=settings).serve().ask_for("v2")
    world.until(State.AWAITING_PROMOTION)
    world.broken["v1"] = unready()
    world.step()
    assert (world.state, share(world)) == (State.AWAITING_PROMOTION, 100)
    world.broken.clear()
    world.step()
    assert (world.state, share(world)) == (State.AWAITING_PROMOTION, 0)


@pytest.mark.transition("stable-lost-last-pod")
def test_covering_canary_is_still_judged() -> None:
    """A bad canary is aborted and keeps only what stable cannot carry."""
    world = second_step(on_stable_down=OnStableDown.SHIFT)
    world.broken["v1"] = unready()
    world.step()
    world.verdict = Verdict.ABORT
    world.run(5)
    assert (world.state, share(world)) == (State.ABORTING, 100)
    world.broken.clear()
    world.step()
    assert share(world) == 0


@pytest.mark.transition("metrics-down")
@pytest.mark.parametrize("wish", OnTimeout)
def test_prometheus_that_stays_away(wish: OnTimeout) -> None:
    """`onMetricsDown` decides after `metricsTimeoutSeconds`; no weight rises either way."""
    settings = analysis(on_metrics_down=wish, metrics_timeout_seconds=300)
    world = canary_at(State.ANALYSING, MachineWorld(settings=settings))
    world.verdict = None
    assert world.status.rollout is not None
    away = Evidence(verdict=Verdict.METRICS_DOWN, metrics_down_since=world.now)
    rollout = world.status.rollout.evolve(evidence=away)
    world.status = world.status.evolve(rollout=rollout)
    world.now += 299
    world.step()
    assert (world.state, share(world)) == (State.ANALYSING, 10)
    world.now += 1
    world.step()
    aborted = wish is OnTimeout.ABORT
    assert (world.state is State.ABORTING) is aborted
    assert share(world) == (0 if aborted else 10)
