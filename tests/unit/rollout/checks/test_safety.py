"""Checks that lower weights, and checks that hold them."""

import pytest

from halimede.api.analysis import OnTimeout
from halimede.api.reasons import NotReadyReason, Verdict
from halimede.api.status import Outcome, State
from tests.support.rollouts import (
    BLUE_GREEN,
    SETTINGS,
    MachineWorld,
    analysis,
    canary_at,
    changed,
    unready,
)


@pytest.mark.transition("verdict-abort", "abort-at-once")
@pytest.mark.parametrize("state", [State.ANALYSING, State.SCALING_UP])
def test_bad_canary_loses_all_traffic_with_the_next_write(state: State) -> None:
    """An abort takes one write in every state in which the canary has traffic."""
    broken = {"v2": unready(ready=1)} if state is State.SCALING_UP else {}
    world = MachineWorld(replicas=2, broken=broken).serve().ask_for("v2")
    world.until(state)
    world.verdict = Verdict.ABORT
    world.now += 60
    world.step()
    assert (world.state, world.writes[-1]) == (State.ABORTING, (("v1", 100), ("v2", 0)))


@pytest.mark.transition("verdict-abort-in-bake")
def test_bad_canary_in_the_bake_goes_back_to_the_old_revision() -> None:
    """In blue-green's bake the old revision is warm, so an abort switches back."""
    world = MachineWorld(settings=BLUE_GREEN).serve().ask_for("v2")
    world.until(State.AWAITING_PROMOTION)
    world.command = "promote@1"
    world.until(State.BAKING)
    world.verdict = Verdict.ABORT
    world.until(None)
    assert world.writes[-2:] == [(("v1", 100), ("v2", 0)), (("v1", 100),)]
    assert [one.revision for one in world.status.failed_revisions] == ["v2"]


@pytest.mark.transition("verdict-abort-in-bake", "abort-at-once")
def test_a_canary_that_turns_bad_in_the_bake_goes_back_at_once() -> None:
    """The old revision is at full scale until the commit, so an abort takes one write."""
    world = canary_at(State.BAKING)
    assert world.desired == {"v1": 2, "v2": 2}
    world.verdict = Verdict.ABORT
    world.now += 15
    world.step()
    assert (world.state, world.writes[-1]) == (State.ABORTING, (("v1", 100), ("v2", 0)))
    world.until(None)
    last = world.status.last_rollout
    assert last is not None
    assert (last.outcome, last.revision) == (Outcome.ABORTED, "v2")
    assert [one.revision for one in world.status.failed_revisions] == ["v2"]
    assert world.status.stable is not None
    assert world.status.stable.revision == "v1"


@pytest.mark.transition("verdict-abort", "abort-drained")
def test_abort_keeps_its_evidence() -> None:
    """The status records what was aborted, when and why."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.ABORT
    world.until(None)
    last = world.status.last_rollout
    assert last is not None
    assert (last.outcome, last.reason, last.message, last.decided_at is None) == (
        Outcome.ABORTED,
        "AnalysisFailed",
        "The judge says Abort.",
        False,
    )
    assert last.evidence is not None


@pytest.mark.transition("step-passed", "no-requests", "metrics-down")
@pytest.mark.parametrize("verdict", [Verdict.NO_DATA, Verdict.METRICS_DOWN, Verdict.CONTINUE])
def test_without_a_pass_no_weight_moves(verdict: Verdict) -> None:
    """However long it takes, only a pass raises a weight."""
    world = canary_at(State.ANALYSING)
    writes = len(world.writes)
    world.verdict = verdict
    world.run(200, seconds=60)
    assert (world.state, world.writes[writes:]) == (State.ANALYSING, [])


@pytest.mark.transition("no-requests", "metrics-down")
@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (Verdict.NO_DATA, "MetricsHold"),
        (Verdict.METRICS_DOWN, "MetricsHold"),
        (Verdict.CONTINUE, "RollingOut"),
    ],
)
def test_what_is_awaited_is_explained(verdict: Verdict, reason: str) -> None:
    """The conditions distinguish missing data from a step that is still running."""
    world = canary_at(State.ANALYSING)
    world.verdict = verdict
    world.run(30)
    assert world.last.wait is not None
    assert world.last.wait.reason == reason


@pytest.mark.transition("step-inconclusive")
def test_inconclusive_step_asks_for_a_human() -> None:
    """After `maxSeconds` without a verdict the rollout pauses for a decision."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.CONTINUE
    world.run(50, seconds=60)
    assert world.last.wait is not None
    assert world.last.wait.reason == "Paused"


@pytest.mark.transition("step-inconclusive")
def test_inconclusive_step_is_aborted_with_abort() -> None:
    """`onInconclusive: Abort` aborts instead."""
    world = canary_at(
        State.ANALYSING, MachineWorld(settings=analysis(on_inconclusive=OnTimeout.ABORT))
    )
    world.verdict = Verdict.CONTINUE
    world.run(50, seconds=60)
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.reason == "Inconclusive"


@pytest.mark.transition("step-passed")
def test_two_hours_of_downtime_are_one_step() -> None:
    """However much time has passed, one reconcile moves on by at most one step."""
    world = canary_at(State.ANALYSING)
    world.now += 7200
    world.step()
    assert (world.state, world.status.rollout and world.status.rollout.step) == (
        State.SHIFTING,
        1,
    )


@pytest.mark.transition("canary-crashed")
def test_never_ready_revision_gets_no_traffic() -> None:
    """A revision that crashes repeatedly is aborted without any traffic."""
    broken = {"v2": unready(NotReadyReason.CRASH_LOOP, restarts=3)}
    world = MachineWorld(broken=broken).serve().ask_for("v2")
    world.run(5)
    assert (world.writes, world.status.last_rollout and world.status.last_rollout.reason) == (
        [(("v1", 100),)],
        "CanaryCrashed",
    )


@pytest.mark.transition("pods-past-deadline")
def test_slow_revision_is_aborted_at_the_deadline() -> None:
    """A revision that is loading is aborted after `progressDeadlineSeconds`."""
    world = MachineWorld(broken={"v2": unready(NotReadyReason.LOADING)}).serve().ask_for("v2")
    world.step()
    world.now += SETTINGS.progress_deadline_seconds - 1
    world.step()
    assert world.state is State.STARTING
    world.now += 2
    world.step()
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.reason == "ProgressDeadlineExceeded"


@pytest.mark.parametrize("cause", [NotReadyReason.UNSCHEDULABLE, NotReadyReason.QUOTA])
def test_full_cluster_is_no_news_about_the_model(cause: NotReadyReason) -> None:
    """No deadline runs while there is no room for the pods."""
    world = MachineWorld(broken={"v2": unready(cause)}).serve().ask_for("v2")
    world.run(100, seconds=600)
    assert world.state is State.STARTING


@pytest.mark.transition("canary-lost-last-pod")
def test_lost_pods_are_taken_out_at_once() -> None:
    """A weight without a ready pod goes back to stable in the same pass."""
    world = canary_at(State.ANALYSING)
    world.broken["v2"] = unready()
    world.step()
    assert (world.state, world.writes[-1]) == (State.PRIMING, (("v1", 100), ("v2", 0)))


@pytest.mark.transition("canary-lost-last-pod")
def test_pods_that_come_back_go_on_at_the_same_step() -> None:
    """After a short loss of pods the rollout continues at the same step."""
    world = canary_at(State.ANALYSING)
    world.broken["v2"] = unready()
    world.run(3)
    world.broken.clear()
    world.until(State.ANALYSING)
    assert world.writes[-1] == (("v1", 90), ("v2", 10))


@pytest.mark.transition("canary-lost-last-pod")
def test_pods_that_stay_away_end_the_rollout() -> None:
    """A revision that had traffic and stays without pods is aborted."""
    world = canary_at(State.ANALYSING)
    world.broken["v2"] = unready()
    world.run(40)
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.reason == "CanaryUnhealthy"


@pytest.mark.transition("step-lacks-pods")
def test_weight_waits_for_the_stable_revisions_pods() -> None:
    """No weight changes while the stable revision lacks the pods for its own weight."""
    world = MachineWorld().serve().ask_for("v2")
    world.broken["v1"] = unready(ready=1)
    world.run(100)
    assert (world.state, world.writes[-1]) == (State.SHIFTING, (("v1", 100), ("v2", 0)))
    assert world.last.wait is not None
    assert world.last.wait.reason == "StableUnhealthy"


@pytest.mark.transition("abort-by-ready-pods")
def test_abort_leaves_what_stable_could_not_carry() -> None:
    """With most stable pods missing, the aborted revision keeps part of the traffic at first."""
    world = MachineWorld(replicas=10).serve().ask_for("v2")
    world.until(State.SCALING_UP)
    world.broken["v1"] = unready(ready=3)
    world.verdict = Verdict.ABORT
    world.now += 60
    world.step()
    assert world.writes[-1] == (("v1", 50), ("v2", 50))
    world.broken.clear()
    world.step()
    assert world.writes[-1] == (("v1", 100), ("v2", 0))


@pytest.mark.transition("third-revision")
def test_third_revision_takes_the_place_of_the_second() -> None:
    """A new spec supersedes the rollout, which is no failure."""
    world = canary_at(State.ANALYSING)
    world.ask_for("v3").until(State.STARTING)
    last = world.status.last_rollout
    assert (last and last.outcome, world.status.failed_revisions) == (Outcome.SUPERSEDED, ())
    assert world.status.rollout is not None
    assert (world.status.rollout.base, world.status.rollout.revision) == ("v1", "v3")


@pytest.mark.transition("reverted", "abort-traffic-back", "abort-drained")
def test_spec_back_at_stable_is_one_write() -> None:
    """A revert during a rollout takes one write."""
    world = canary_at(State.ANALYSING)
    writes = len(world.writes)
    world.ask_for("v1").run(30)
    last = world.status.last_rollout
    assert (last and last.outcome, world.state) == (Outcome.REVERTED, None)
    assert world.writes[writes:] == [(("v1", 100), ("v2", 0)), (("v1", 100),)]


@pytest.mark.transition("pause-command")
def test_pause_does_not_hold_an_abort() -> None:
    """A paused bad canary is aborted."""
    world = canary_at(State.ANALYSING)
    world.settings = changed(SETTINGS, paused=True)
    world.verdict = Verdict.ABORT
    world.run(5, seconds=60)
    assert world.writes[-1] == (("v1", 100),)


@pytest.mark.transition("abort-command")
def test_abort_command() -> None:
    """`abort` moves all traffic back immediately."""
    world = canary_at(State.ANALYSING)
    world.command = "abort@1"
    world.step()
    assert world.writes[-1] == (("v1", 100), ("v2", 0))
    world.until(None)
    assert [one.reason for one in world.status.failed_revisions] == ["AbortCommanded"]


@pytest.mark.transition("clock-set-back")
def test_clock_that_is_set_back_is_no_time_gone_by() -> None:
    """If the clock goes back by an hour, nothing happens early and nothing fails."""
    world = canary_at(State.ANALYSING)
    world.now -= 3600
    world.run(3)
    assert world.state is State.ANALYSING
    world.now += 3600
    world.run(100)
    assert world.state is None


@pytest.mark.transition("route-not-accepted")
def test_route_that_is_never_accepted_aborts_the_rollout() -> None:
    """A route that is not accepted gives a Warning and then an abort."""
    world = MachineWorld().serve().ask_for("v2")
    world.accepted = False
    world.run(30)
    assert world.last.wait is not None
    assert world.last.wait.reason == "RouteNotAccepted"
    world.run(120)
    assert "RolloutAborted" in world.reasons


@pytest.mark.transition("raise-unwritten")
def test_unwritten_weight_is_reconsidered() -> None:
    """A weight that was stored but not written is reverted if its pods are gone."""
    world = MachineWorld(replicas=10).serve().ask_for("v2")
    world.until(State.ANALYSING)
    while world.status.rollout and world.status.rollout.weight < 50:
        world.effects = False
        world.step()
        world.now += 5
        if world.status.rollout and world.status.rollout.weight < 50:
            world.effects = True
            world.step()
    world.effects = True
    world.broken["v2"] = unready(ready=1)
    world.step()
    assert world.route == (("v1", 90), ("v2", 10))


@pytest.mark.transition("canary-lost-last-pod")
def test_all_traffic_and_no_pod_goes_back_at_once() -> None:
    """A revision that loses its last pod in the bake is aborted in favour of the warm one."""
    world = MachineWorld(settings=BLUE_GREEN).serve().ask_for("v2")
    world.until(State.AWAITING_PROMOTION)
    world.command = "promote@1"
    world.until(State.BAKING)
    world.broken["v2"] = unready()
    world.step()
    assert (world.state, world.writes[-1]) == (State.ABORTING, (("v1", 100), ("v2", 0)))


@pytest.mark.parametrize("state", [State.ANALYSING, State.BAKING])
def test_weights_stay_if_no_revision_can_carry_them(state: State) -> None:
    """With no ready pod on either side no weight changes."""
    automatic = BLUE_GREEN.blue_green.evolve(auto_promote=True)
    by_itself = changed(BLUE_GREEN, blue_green=automatic)
    settings = SETTINGS if state is State.ANALYSING else by_itself
    world = canary_at(state, MachineWorld(settings=settings))
    writes = len(world.writes)
    world.verdict = Verdict.CONTINUE
    world.broken = {"v1": unready(), "v2": unready()}
    world.step()
    assert (world.state, world.writes[writes:]) == (state, [])


@pytest.mark.transition("raise-unwritten")
def test_unwritten_switch_is_reconsidered() -> None:
    """A switch that was stored but not written is reverted if its pods are gone."""
    world = canary_at(State.SCALING_UP)
    world.effects = False
    world.step()
    assert world.state is State.PROMOTING
    world.effects = True
    world.broken["v2"] = unready(ready=1)
    world.step()
    assert (world.state, world.route) == (State.SCALING_UP, (("v1", 50), ("v2", 50)))


@pytest.mark.transition("abort-by-ready-pods")
def test_aborted_revision_keeps_its_share_while_stable_has_too_few_pods() -> None:
    """The status names the wait for stable's pods, which ends when they are ready."""
    world = canary_at(State.SCALING_UP, MachineWorld(replicas=10))
    world.broken["v1"] = unready(ready=2)
    world.command = "abort@1"
    world.run(2)
    assert world.last.wait is not None
    assert world.last.wait.reason == "StableUnhealthy"
    world.broken["v1"] = unready(ready=4)
    world.step()
    assert world.state is State.ABORTING
    world.broken.clear()
    world.until(None)
    assert world.writes[-1] == (("v1", 100),)
