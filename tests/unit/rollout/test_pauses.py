"""Pauses by command and in the spec: what they hold, what continues, and how they end."""

import pytest

from halimede.api.analysis import OnTimeout
from halimede.api.reasons import NotReadyReason, Verdict
from halimede.api.status import Outcome, State
from halimede.rollout.requeue import requeue_after
from tests.support.rollouts import (
    BLUE_GREEN,
    SETTINGS,
    MachineWorld,
    analysis,
    canary_at,
    changed,
    unready,
)

DAY = SETTINGS.pause_timeout_seconds
HOLDING = [
    State.STARTING,
    State.PRIMING,
    State.SHIFTING,
    State.ANALYSING,
    State.SCALING_UP,
    State.PROMOTING,
    State.BAKING,
]


def commanded(world: MachineWorld, command: str) -> MachineWorld:
    """Give a command and run one pass."""
    world.command = command
    world.step()
    return world


@pytest.mark.transition("pause-command")
@pytest.mark.parametrize("state", HOLDING)
def test_pause_holds_every_state_before_the_commit(state: State) -> None:
    """A rollout paused by command stays in its state and writes no route."""
    world = commanded(canary_at(state), "pause@1")
    writes = len(world.writes)
    world.run(100, seconds=60)
    assert (world.state, world.writes[writes:]) == (state, [])
    assert world.last.wait is not None
    assert world.last.wait.reason == "Paused"
    assert "`resume`" in world.last.wait.message


@pytest.mark.transition("resume-command")
@pytest.mark.parametrize("state", HOLDING)
def test_resume_goes_on_from_every_state(state: State) -> None:
    """After `resume` a good canary is promoted as without a pause."""
    world = commanded(canary_at(state), "pause@1")
    world.run(10, seconds=600)
    commanded(world, "resume@2").run(100)
    assert world.status.stable is not None
    assert (world.status.stable.revision, world.state) == ("v2", None)
    assert {"RolloutPaused", "RolloutResumed"} <= set(world.reasons)


def test_pause_is_in_the_status() -> None:
    """A restart does not end a pause: its start is stored in the status."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    assert world.status.rollout is not None
    assert world.status.rollout.paused_since == world.now


def test_pause_does_not_hold_the_judge() -> None:
    """A bad canary is aborted though it is paused by command."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    world.verdict = Verdict.ABORT
    world.run(5, seconds=60)
    assert world.writes[-1] == (("v1", 100),)


@pytest.mark.transition("abort-command")
def test_pause_does_not_hold_an_abort_by_command() -> None:
    """`abort` has precedence over `pause`."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    commanded(world, "abort@2")
    assert (world.state, world.writes[-1]) == (State.ABORTING, (("v1", 100), ("v2", 0)))


def test_pause_does_not_hold_the_way_out_of_lost_pods() -> None:
    """A weight without a ready pod goes back to stable, paused or not."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    world.broken["v2"] = unready()
    world.step()
    assert world.writes[-1] == (("v1", 100), ("v2", 0))


@pytest.mark.transition("replicas-edited")
def test_pause_does_not_hold_scaling() -> None:
    """A pause does not hold changes of `spec.replicas`."""
    world = commanded(canary_at(State.ANALYSING, MachineWorld(replicas=10)), "pause@1")
    world.replicas = 20
    world.step()
    assert world.desired == {"v1": 20, "v2": 2}


@pytest.mark.parametrize(
    ("target", "outcome"), [("v1", Outcome.REVERTED), ("v3", Outcome.SUPERSEDED)]
)
def test_pause_does_not_hold_an_edited_spec(target: str, outcome: Outcome) -> None:
    """A revert or a third revision ends a pause: it belongs to one rollout."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    world.ask_for(target).run(20)
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.outcome is outcome
    assert world.status.rollout is None or world.status.rollout.paused_since is None


@pytest.mark.transition("raise-unwritten")
def test_raise_that_was_stored_is_not_written_in_a_pause() -> None:
    """A weight that was stored but not written before a kill waits for the end of the pause."""
    world = canary_at(State.PRIMING)
    world.step()
    world.now += 60
    world.effects = False
    world.step()
    assert world.status.rollout is not None
    assert world.status.rollout.weight == 10
    world.effects = True
    commanded(world, "pause@1").run(20)
    assert world.route == (("v1", 100), ("v2", 0))
    commanded(world, "resume@2").run(1)
    assert world.route == (("v1", 90), ("v2", 10))


def test_switch_that_was_stored_is_not_written_in_a_pause() -> None:
    """A switch that was stored but not written before a kill waits for the end of the pause."""
    world = canary_at(State.SCALING_UP)
    world.effects = False
    world.step()
    assert world.state is State.PROMOTING
    world.effects = True
    world.settings = changed(SETTINGS, paused=True)
    world.run(20)
    assert (world.state, world.route) == (State.SCALING_UP, (("v1", 50), ("v2", 50)))


def by_command(world: MachineWorld) -> None:
    """Pause for two hours by command."""
    commanded(world, "pause@1")
    world.run(12, seconds=600)
    commanded(world, "resume@2")


def by_spec(world: MachineWorld) -> None:
    """Pause for two hours in the spec."""
    world.settings = changed(world.settings, paused=True)
    world.run(12, seconds=600)
    world.settings = changed(world.settings, paused=False)
    world.step()


@pytest.mark.parametrize("pause", [by_command, by_spec])
def test_unready_revision_has_its_whole_deadline_after_a_pause(pause: object) -> None:
    """A pause longer than the deadline does not count against a revision that still loads."""
    world = MachineWorld(broken={"v2": unready(NotReadyReason.LOADING)}).serve().ask_for("v2")
    world.until(State.STARTING)
    assert callable(pause)
    pause(world)
    world.now += SETTINGS.progress_deadline_seconds - 1
    world.step()
    assert world.state is State.STARTING
    world.now += 1
    world.step()
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.reason == "ProgressDeadlineExceeded"


@pytest.mark.parametrize("pause", [by_command, by_spec])
def test_step_restarts_after_a_pause(pause: object) -> None:
    """The time in a pause does not count for a step's `minSeconds`."""
    world = canary_at(State.ANALYSING)
    assert callable(pause)
    pause(world)
    resumed = world.now
    while world.state is State.ANALYSING:
        world.now += 5
        world.step()
    assert world.now - resumed >= 60


@pytest.mark.parametrize("pause", [by_command, by_spec])
def test_bake_restarts_after_a_pause(pause: object) -> None:
    """The time in a pause does not count for `bakeSeconds`, so there is time left to abort."""
    automatic = BLUE_GREEN.blue_green.evolve(auto_promote=True)
    world = canary_at(
        State.BAKING, MachineWorld(settings=changed(BLUE_GREEN, blue_green=automatic))
    )
    assert callable(pause)
    pause(world)
    world.now += 59
    world.step()
    assert world.state is State.BAKING
    world.now += 1
    world.step()
    assert world.state is State.DRAINING


def test_route_has_its_whole_deadline_after_a_pause() -> None:
    """A route that is not accepted aborts no rollout in a pause, nor right after it."""
    world = MachineWorld().serve().ask_for("v2")
    world.until(State.PRIMING)
    world.accepted = False
    world.step()
    by_command(world)
    world.now += 599
    world.step()
    assert world.state is State.PRIMING


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        (analysis(on_inconclusive=OnTimeout.ABORT), Verdict.CONTINUE),
        (analysis(on_no_data=OnTimeout.ABORT), Verdict.NO_DATA),
    ],
)
def test_lack_of_evidence_ends_no_paused_rollout(settings: object, verdict: Verdict) -> None:
    """In a pause only `pauseTimeoutSeconds` runs."""
    world = canary_at(State.ANALYSING)
    world.settings = changed(SETTINGS, analysis=getattr(settings, "analysis", None))
    world.verdict = verdict
    commanded(world, "pause@1").run(12, seconds=600)
    assert world.state is State.ANALYSING


@pytest.mark.transition("resume-command")
def test_resume_restarts_the_time_of_an_inconclusive_step() -> None:
    """An inconclusive step that paused waits for evidence again after `resume`."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.CONTINUE
    world.run(50, seconds=60)
    assert (world.last.wait and world.last.wait.reason) == "Paused"
    commanded(world, "resume@1").run(2)
    assert (world.last.wait and world.last.wait.reason) == "RollingOut"


@pytest.mark.transition("pause-timeout")
@pytest.mark.parametrize("how", ["command", "spec"])
@pytest.mark.parametrize("verdict", [None, Verdict.METRICS_DOWN, Verdict.PASS])
def test_forgotten_pause_is_aborted(how: str, verdict: Verdict | None) -> None:
    """After `pauseTimeoutSeconds` traffic goes back, independent of metrics and the gateway."""
    world = canary_at(State.ANALYSING)
    if how == "command":
        world.command = "pause@1"
    else:
        world.settings = changed(SETTINGS, paused=True)
    world.step()
    world.verdict, world.accepted = verdict, False
    world.now += DAY - 1
    world.step()
    assert world.state is State.ANALYSING
    world.now += 1
    world.step()
    rollout = world.status.rollout
    assert rollout is not None
    assert (rollout.state, rollout.reason) == (State.ABORTING, "PauseTimeout")
    assert world.writes[-1] == (("v1", 100), ("v2", 0))


def test_a_reconcile_is_due_at_the_pause_timeout() -> None:
    """The next reconcile comes no later than the pause's timeout."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    world.verdict = None
    world.now += DAY - 7
    assert world.status.rollout is not None
    polled = world.status.rollout.evolve(polled_at=world.now)
    world.status = world.status.evolve(rollout=polled)
    assert requeue_after(world.status, world.settings, world.now) == 7


def test_pause_without_a_timeout_lasts() -> None:
    """`pauseTimeoutSeconds: 0` never ends a pause."""
    world = canary_at(State.ANALYSING)
    world.settings = changed(SETTINGS, pause_timeout_seconds=0)
    commanded(world, "pause@1").run(10, seconds=DAY)
    assert world.state is State.ANALYSING


def test_second_pause_shows_that_the_first_is_not_forgotten() -> None:
    """Another `pause` restarts the pause's timeout."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    world.now += DAY - 1
    commanded(world, "pause@2")
    world.now += DAY - 1
    world.step()
    assert world.state is State.ANALYSING


def test_resume_that_comes_with_the_timeout_wins() -> None:
    """An operator that was away finds both, and the command has precedence."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    world.now += 2 * DAY
    commanded(world, "resume@2")
    assert world.state is State.ANALYSING


def test_revert_that_comes_with_the_timeout_wins() -> None:
    """A revert at the timeout is no failure of the revision."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    world.now += 2 * DAY
    world.ask_for("v1").until(None)
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.outcome is Outcome.REVERTED
    assert world.status.failed_revisions == ()


@pytest.mark.transition("clock-set-back")
def test_clock_that_is_set_back_in_a_pause() -> None:
    """A clock that is set back lengthens a pause and breaks nothing."""
    world = commanded(canary_at(State.ANALYSING), "pause@1")
    world.now -= 3600
    commanded(world, "resume@2").run(100)
    assert world.state is None
