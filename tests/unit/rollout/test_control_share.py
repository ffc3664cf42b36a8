"""The control share: requests that stay on the stable revision while the new one bakes."""

from collections.abc import Callable

import pytest

from halimede.api.reasons import Reason, Verdict
from halimede.api.rollout import CapacityMode, Rollout, Step, Strategy
from halimede.api.status import Evidence, Outcome, RolloutStatus, State
from halimede.rollout.decisions import with_rollout
from halimede.rollout.steps import control_percent
from tests.support.rollouts import (
    BLUE_GREEN,
    SETTINGS,
    START,
    MachineWorld,
    canary_at,
    changed,
    unready,
)

IN_THE_BAKE = [State.PROMOTING, State.BAKING]
ROLLOUT = RolloutStatus(
    id="1",
    strategy=Strategy.CANARY,
    base="v1",
    revision="v2",
    state=State.SCALING_UP,
    state_since=START,
    started_at=START,
    last_progress_at=START,
    steps=2,
    weight=50,
)


def canary(percent: int | None = None, **fields: object) -> Rollout:
    """Build canary settings with this control share."""
    fields = {"control_percent": percent, **fields}
    return changed(SETTINGS, canary=SETTINGS.canary.evolve(**fields))


def blue_green(percent: int) -> Rollout:
    """Build blue-green settings with autoPromote and this control share."""
    fields = {"auto_promote": True, "control_percent": percent}
    return changed(BLUE_GREEN, blue_green=BLUE_GREEN.blue_green.evolve(**fields))


def rollout_of(world: MachineWorld) -> RolloutStatus:
    """Return the current rollout."""
    assert world.status.rollout is not None
    return world.status.rollout


@pytest.mark.parametrize(
    ("settings", "weight"),
    [
        (canary(), 90),
        (canary(0), 100),
        (canary(30), 70),
        (canary(50), 50),
        (canary(0, bake_seconds=0), 100),
        (canary(None, bake_seconds=0), 100),
        (blue_green(0), 100),
        (blue_green(20), 80),
        (changed(canary(), capacity_mode=CapacityMode.REPLACE), 100),
        (changed(canary(), capacity_mode=CapacityMode.WAIT), 90),
        (changed(SETTINGS, strategy=Strategy.RECREATE), 100),
    ],
)
@pytest.mark.transition("full-scale-ready", "bake-started")
def test_the_stable_revision_keeps_its_share_until_the_commit(
    settings: Rollout, weight: int
) -> None:
    """The new revision is at full scale during the bake and gets all requests at the commit."""
    world = canary_at(State.PROMOTING, MachineWorld(replicas=10, settings=settings))
    assert rollout_of(world).weight == weight
    world.until(State.BAKING)
    pods = 9 if settings.capacity_mode is CapacityMode.REPLACE else 10
    assert (rollout_of(world).weight, world.desired["v2"]) == (weight, pods)
    world.until(State.DRAINING)
    assert (rollout_of(world).weight, world.route) == (100, (("v2", 100),))
    world.until(None)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v2"


@pytest.mark.parametrize(
    ("change", "settings", "by_pods", "percent"),
    [
        ({}, canary(), False, 10),
        ({}, canary(25), False, 25),
        ({}, canary(25), True, 0),
        ({}, canary(25, bake_seconds=0), False, 0),
        ({}, changed(canary(25), capacity_mode=CapacityMode.REPLACE), False, 0),
        ({"steps": 0}, canary(25), False, 0),
        ({"outcome": Outcome.FAST_PROMOTED}, canary(25), False, 0),
        ({"skip_analysis": True}, canary(25), False, 0),
        ({"control_dropped_at": START}, canary(25), False, 0),
        ({"strategy": Strategy.BLUE_GREEN}, blue_green(25), False, 25),
        ({"strategy": Strategy.BLUE_GREEN}, blue_green(25), True, 0),
        ({"strategy": Strategy.BLUE_GREEN, "steps": 0}, blue_green(25), False, 0),
        ({"strategy": Strategy.RECREATE, "steps": 0}, canary(25), False, 0),
    ],
)
def test_who_gets_a_share(
    change: dict[str, object], settings: Rollout, percent: int, *, by_pods: bool
) -> None:
    """There is no share if no router can split requests, or if stable must be left."""
    rollout = ROLLOUT.evolve(**change)
    assert control_percent(rollout, settings, by_pods=by_pods) == percent


@pytest.mark.parametrize(
    ("per_second", "percent"), [(None, 10), (100.0, 10), (5.0, 10), (2.0, 25), (0.1, 50)]
)
def test_few_requests_leave_a_larger_share(per_second: float | None, percent: int) -> None:
    """By default the share is set so that stable gets about 150 requests in five minutes."""
    evidence = Evidence(requests_per_second=per_second)
    rollout = ROLLOUT.evolve(evidence=evidence)
    assert control_percent(rollout, canary(None), by_pods=False) == percent
    assert control_percent(rollout, canary(25), by_pods=False) == 25


def test_a_canary_by_pods_gets_everything() -> None:
    """Without a router there is no control share."""
    world = canary_at(State.BAKING, MachineWorld(by_pods=True, settings=canary()))
    assert world.route == (("v1", 0), ("v2", 100))


@pytest.mark.parametrize(("last", "weight"), [(80, 90), (95, 95), (100, 100)])
def test_a_weight_that_was_given_never_falls_for_the_share(last: int, weight: int) -> None:
    """If the last step leaves stable less than the control share, so does the bake."""
    steps = (Step(weight=10, min_seconds=60), Step(weight=last, min_seconds=60))
    world = canary_at(State.BAKING, MachineWorld(settings=canary(steps=steps)))
    assert rollout_of(world).weight == weight


@pytest.mark.parametrize("verb", ["promote-full", "promote-full-force"])
def test_skipping_the_steps_moves_all_requests(verb: str) -> None:
    """The stable revision may be the broken one."""
    world = canary_at(State.ANALYSING)
    world.command = f"{verb}@1"
    world.until(State.PROMOTING)
    assert world.route == (("v1", 0), ("v2", 100))


def test_a_way_back_leaves_nothing_behind() -> None:
    """A rollback keeps no control share on the revision that it leaves."""
    world = canary_at(State.DRAINING)
    world.until(None)
    world.ask_for("v1").until(State.BAKING)
    assert world.route == (("v2", 0), ("v1", 100))


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("state", IN_THE_BAKE)
@pytest.mark.transition("control-dropped")
def test_a_stable_revision_without_pods_gives_its_share_up(state: State, *, paused: bool) -> None:
    """It happens in the next write, paused or not; the bake's clock and evidence continue."""
    world = canary_at(state)
    world.step()
    before = rollout_of(world)
    world.settings = changed(world.settings, paused=paused)
    world.broken["v1"] = unready()
    world.now += 1
    world.step()
    after = rollout_of(world)
    assert (world.state, world.route) == (state, (("v1", 0), ("v2", 100)))
    assert (after.last_progress_at, after.evidence) == (before.last_progress_at, before.evidence)
    assert (after.control_dropped_at, world.reasons[-1]) == (world.now, "ControlDropped")


@pytest.mark.transition("control-dropped")
def test_the_bake_ends_when_it_would_have_ended() -> None:
    """Dropping the control share does not prolong the bake."""
    world = canary_at(State.BAKING)
    begun = world.bake_began
    world.now += 15
    world.broken["v1"] = unready()
    world.until(State.DRAINING)
    assert world.now - begun == 60


def test_a_dropped_control_share_is_not_restored() -> None:
    """Not even if the bake restarts and the stable revision is healthy again."""
    world = canary_at(State.BAKING)
    world.broken["v1"] = unready()
    world.step()
    world.broken = {"v2": unready(ready=1)}
    world.step()
    assert world.state is State.SCALING_UP
    world.broken.clear()
    world.until(State.BAKING)
    assert world.route == (("v1", 0), ("v2", 100))


@pytest.mark.parametrize(("ready", "weight"), [(1, 100), (2, 90)])
def test_a_share_needs_its_pods(ready: int, weight: int) -> None:
    """Two of twenty pods can carry 10 %."""
    world = canary_at(State.BAKING, MachineWorld(replicas=20))
    world.broken["v1"] = unready(ready=ready)
    world.step()
    assert rollout_of(world).weight == weight


def test_without_pods_for_it_there_is_no_share_to_begin_with() -> None:
    """The stable revision is down when the bake begins."""
    world = canary_at(State.SCALING_UP)
    world.broken["v1"] = unready()
    world.until(State.BAKING)
    assert world.route == (("v1", 0), ("v2", 100))


def test_too_few_pods_on_both_sides_leave_the_share_where_it_is() -> None:
    """One stable pod is better than none."""
    world = canary_at(State.BAKING, MachineWorld(replicas=20))
    world.broken = {"v1": unready(ready=1), "v2": unready(ready=17)}
    world.step()
    assert rollout_of(world).weight == 90
    world.broken["v1"] = unready()
    world.step()
    assert rollout_of(world).weight == 100


def test_a_kill_does_not_restore_a_dropped_control_share() -> None:
    """The dropped share was stored but not written before a kill; a pause follows."""
    world = canary_at(State.PROMOTING)
    world.broken["v1"] = unready()
    world.effects = False
    world.step()
    assert world.route == (("v1", 10), ("v2", 90))
    world.effects, world.settings = True, changed(world.settings, paused=True)
    world.step()
    assert (world.state, world.route) == (State.PROMOTING, (("v1", 0), ("v2", 100)))


def test_the_last_pod_of_the_new_revision_is_missed_in_spite_of_the_share() -> None:
    """The rollout is aborted as it would be with all traffic."""
    world = canary_at(State.BAKING)
    world.broken["v2"] = unready()
    world.step()
    assert (world.state, world.route) == (State.ABORTING, (("v1", 100), ("v2", 0)))
    assert (
        rollout_of(world).message
        == "It lost its last ready pod while it had 90 % of the requests."
    )


@pytest.mark.transition("bake-passed")
def test_the_commit_waits_for_pods_that_can_carry_everything() -> None:
    """Half of the pods can carry only half of the requests."""
    world = canary_at(State.BAKING, MachineWorld(replicas=4, settings=canary(50)))
    world.broken["v2"] = unready(ready=2)
    world.run(20)
    assert (world.state, rollout_of(world).weight) == (State.BAKING, 50)
    assert world.last.wait is not None
    assert world.last.wait.message == "2 of 4 pods of revision v2 are ready. Because."
    world.broken.clear()
    world.step()
    assert (world.state, world.route) == (State.BAKING, (("v1", 0), ("v2", 100)))
    world.until(State.DRAINING)
    assert world.route == (("v2", 100),)


def test_the_end_of_the_bake_is_no_trouble_of_the_route() -> None:
    """The route has 30 s from the commit, though the bake began long ago."""
    world = canary_at(State.BAKING)
    world.run(10)
    assert (world.state, rollout_of(world).weight) == (State.BAKING, 100)
    world.accepted = False
    world.status = with_rollout(world.status, weight_applied_at=None)
    world.step()
    assert world.last.wait is not None
    assert world.last.wait.reason is Reason.ROLLING_OUT
    world.now += 31
    world.step()
    assert world.last.wait is not None
    assert world.last.wait.reason is Reason.ROUTE_NOT_ACCEPTED


def without_router(world: MachineWorld) -> None:
    """Expose the model by a plain Service."""
    world.by_pods = True


def without_share(world: MachineWorld) -> None:
    """Remove the control share from the settings."""
    world.settings = canary(0)


@pytest.mark.parametrize("edit", [without_router, without_share])
@pytest.mark.transition("control-dropped")
def test_a_share_that_the_spec_leaves_no_more_ends(edit: Callable[[MachineWorld], None]) -> None:
    """The bake continues with all traffic on the new revision."""
    world = canary_at(State.BAKING)
    begun = world.bake_began
    edit(world)
    world.step()
    assert (world.state, world.route) == (State.BAKING, (("v1", 0), ("v2", 100)))
    assert world.reasons[-1] == "ControlDropped"
    world.until(State.DRAINING)
    assert world.now - begun == 60


@pytest.mark.parametrize("settings", [canary(), canary(0), blue_green(0), blue_green(20)])
@pytest.mark.transition("bake-doubtful")
def test_odds_against_it_hold_the_bake(settings: Rollout) -> None:
    """Odds of 3:1 hold the bake; it ends when they fall below."""
    world = canary_at(State.BAKING, MachineWorld(settings=settings))
    world.verdict, world.doubt = Verdict.CONTINUE, 1.1
    world.run(100)
    assert world.state is State.BAKING
    assert world.last.wait is not None
    assert "the bake does not end while the odds against it are" in world.last.wait.message
    assert "against it are 3:1 or more" in world.last.wait.message
    world.doubt = 1.09
    world.run(8)
    assert world.state in (State.DRAINING, None)


@pytest.mark.transition("bake-doubtful")
def test_odds_hold_the_bake_while_prometheus_is_away() -> None:
    """The last odds before the outage still count."""
    world = canary_at(State.BAKING)
    world.verdict, world.doubt = Verdict.METRICS_DOWN, 2.0
    world.run(100)
    assert world.state is State.BAKING
    assert world.last.wait is not None
    assert world.last.wait.reason == "MetricsHold"


@pytest.mark.transition("promote-full-force-command", "bake-doubtful")
def test_promote_full_force_ends_a_bake_that_odds_hold() -> None:
    """`promote-full-force` ignores the judge."""
    world = canary_at(State.BAKING)
    world.verdict, world.doubt = Verdict.CONTINUE, 5.0
    world.run(100)
    world.command = "promote-full-force@1"
    world.until(State.DRAINING, passes=8)


@pytest.mark.parametrize(("percent", "waits"), [(10, True), (0, False)])
@pytest.mark.transition("bake-doubtful")
def test_a_comparison_that_cannot_change_any_more_holds_nothing(
    percent: int, *, waits: bool
) -> None:
    """Without stable requests these odds never change and would hold a good revision forever."""
    world = canary_at(State.BAKING, MachineWorld(settings=canary(percent)))
    world.verdict, world.doubt = Verdict.CONTINUE, 0.1
    world.run(5)
    rollout = rollout_of(world)
    assert rollout.evidence is not None
    (source,) = rollout.evidence.sources
    compared = source.evolve(log_rel=(2.0,), log_abs=(0.0,))
    evidence = rollout.evidence.evolve(sources=(compared,))
    kept = {"rollout": rollout.evolve(evidence=evidence)}
    world.status, world.verdict = world.status.evolve(**kept), None
    world.now += 60
    world.step()
    assert (world.state is State.BAKING) is waits


def test_recreate_bakes_until_the_odds_allow_its_end() -> None:
    """The same rule holds for every strategy."""
    settings = changed(SETTINGS, strategy=Strategy.RECREATE)
    world = canary_at(State.BAKING, MachineWorld(settings=settings))
    world.verdict, world.doubt = Verdict.CONTINUE, 2.0
    world.run(100)
    assert world.state is State.BAKING
