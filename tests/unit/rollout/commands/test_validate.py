"""What each verb does in each state, and how it is rejected where it does nothing."""

import pytest

from halimede.api.reasons import Verdict
from halimede.api.status import Outcome, State
from halimede.rollout.command import MAX_LENGTH
from tests.support.rollouts import (
    ANALYSIS,
    BLUE_GREEN,
    SETTINGS,
    MachineWorld,
    canary_at,
    changed,
    unready,
)

SMALL = [State.STARTING, State.PRIMING, State.SHIFTING, State.ANALYSING]
PAUSED = "pause@0"
LONG_BAKE = changed(SETTINGS, canary=SETTINGS.canary.evolve(bake_seconds=3600))
BY_SPEC = "spec"


@pytest.mark.parametrize(
    ("state", "before", "command", "message"),
    [
        (State.ANALYSING, None, "resume@1", "the rollout is not paused"),
        (State.ANALYSING, BY_SPEC, "resume@1", "set it to false"),
        (State.ANALYSING, PAUSED, "promote@1", "use the command `resume` first"),
        (State.ANALYSING, PAUSED, "promote-full@1", "use the command `resume` first"),
        (State.ANALYSING, BY_SPEC, "promote@1", "set spec.rollout.paused to false first"),
        (State.ANALYSING, BY_SPEC, "promote-full@1", "set spec.rollout.paused to false first"),
        (State.STARTING, None, "promote@1", "nothing to promote in state Starting"),
        (State.SCALING_UP, None, "promote-full@1", "nothing to promote in state ScalingUp"),
        (State.BAKING, None, "promote-full@1", "nothing to promote in state Baking"),
        (State.ANALYSING, PAUSED, "promote-full-force@1", "use the command `resume` first"),
        (State.ANALYSING, BY_SPEC, "promote-full-force@1", "spec.rollout.paused to false first"),
        (State.DRAINING, None, "promote-full-force@1", "already decided (Promoted)"),
        (State.ANALYSING, "abort@0", "promote-full-force@1", "already decided (Aborted)"),
        (State.ANALYSING, None, "promote-full-force:v9@1", "revision v2 is being rolled out"),
        (State.ANALYSING, "abort@0", "rollback@1", "already decided (Aborted)"),
        (State.ANALYSING, "abort@0", "rollback:v1@1", "already decided (Aborted)"),
        (State.ANALYSING, None, "rollback:v2@1", "revision v2 is being rolled out"),
        (State.ANALYSING, None, "rollback:v9@1", "status.history does not contain revision v9"),
        (State.ANALYSING, None, "abort:v1@1", "revision v2 is being rolled out"),
        (State.ANALYSING, None, "retry:v1@1", "the spec asks for revision v2, not v1"),
        (State.ANALYSING, "abort@0", "rollback@0", "the token 0 is not greater than 0"),
        (State.DRAINING, None, "pause@1", "already decided (Promoted)"),
        (State.DRAINING, None, "abort@1", "already decided (Promoted)"),
        (State.ANALYSING, "abort@0", "pause@1", "already decided (Aborted)"),
        (State.ANALYSING, "abort@0", "resume@1", "already decided (Aborted)"),
        (State.ANALYSING, "abort@0", "promote-full@1", "already decided (Aborted)"),
        (State.ANALYSING, None, "pause:v9@1", "revision v2 is being rolled out"),
        (State.ANALYSING, None, "promote-full:v9@1", "revision v2 is being rolled out"),
        (State.ANALYSING, PAUSED, "resume:v9@1", "revision v2 is being rolled out"),
        (State.ANALYSING, None, "Pause@1", "with one of the verbs"),
        (State.ANALYSING, None, "pause", "with one of the verbs"),
        (State.ANALYSING, None, "pause@" + "1" * MAX_LENGTH, f"at most {MAX_LENGTH} characters"),
        (State.ANALYSING, PAUSED, "abort@0", "the token 0 is not greater than 0"),
        (State.ANALYSING, PAUSED, "resume@0", "the token 0 is not greater than 0"),
        (State.ANALYSING, "pause@7", "abort@6", "the token 6 is not greater than 7"),
        (State.ANALYSING, None, "abort@now", "the token 'now' is not a number of at most 18"),
        (State.ANALYSING, None, "abort@1e9", "the token '1e9' is not a number"),
        (State.ANALYSING, None, "abort@99999999999", "the token 99999999999 is in the future"),
    ],
)
def test_rejected(state: State, before: str | None, command: str, message: str) -> None:
    """A command that is not possible in a state is rejected once, with the reason."""
    world = canary_at(state)
    world.verdict = Verdict.CONTINUE
    if before == BY_SPEC:
        world.settings = changed(SETTINGS, paused=True)
    elif before:
        world.command = before
        world.step()
    world.command = command
    world.step()
    rejected = [one.message for one in world.last.events if one.reason == "CommandRejected"]
    assert [message in one for one in rejected] == [True]
    world.run(3)
    assert world.reasons.count("CommandRejected") == 1


@pytest.mark.parametrize(
    "verb", ["pause", "resume", "promote-full", "promote-full-force", "promote", "abort"]
)
def test_rejected_without_a_rollout(verb: str) -> None:
    """A command about a rollout is rejected without one."""
    world = MachineWorld().serve()
    world.command = f"{verb}@1"
    assert "no rollout is under way" in world.step().events[0].message


@pytest.mark.transition("promote-full-command")
@pytest.mark.parametrize("state", SMALL)
def test_promote_full_skips_the_remaining_steps(state: State) -> None:
    """From any state a canary goes to full scale and then gets all traffic in one write."""
    world = canary_at(state, MachineWorld(replicas=10))
    world.verdict = Verdict.NO_DATA
    given = len(world.writes)
    world.command = "promote-full@1"
    world.until(State.SCALING_UP)
    world.step()
    assert world.desired["v2"] == 10
    world.until(None)
    last = world.status.last_rollout
    assert last is not None
    assert (last.outcome, last.reason) == (Outcome.FAST_PROMOTED, "FastPromoted")
    assert [dict(one)["v2"] for one in world.writes[given:] if len(one) > 1 and one[1][1]] == [100]
    assert world.reasons.count("StepsSkipped") == 1


@pytest.mark.transition("pods-past-deadline", "promote-full-command", "full-scale-awaited")
@pytest.mark.parametrize("state", SMALL)
def test_promote_full_waits_for_full_scale(state: State) -> None:
    """Below full scale the weight stays, and the progress deadline runs."""
    world = canary_at(state, MachineWorld(replicas=10))
    world.broken["v2"] = unready(ready=8)
    waiting = State.STARTING if state is State.STARTING else State.SCALING_UP
    weight = dict(world.writes[-1]).get("v2", 0)
    world.command = "promote-full@1"
    world.run(50)
    assert (world.state, dict(world.writes[-1]).get("v2", 0)) == (waiting, weight)
    world.run(400)
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.reason == "ProgressDeadlineExceeded"


@pytest.mark.transition("route-not-accepted", "promote-full-command")
def test_promote_full_waits_for_the_route() -> None:
    """A route that is not accepted gives no traffic, and aborts the rollout after its deadline."""
    world = canary_at(State.SHIFTING)
    world.accepted = False
    world.command = "promote-full@1"
    world.run(100)
    assert (world.state, (("v1", 0), ("v2", 100)) in world.writes) == (State.SCALING_UP, False)
    world.run(50)
    rollout = world.status.rollout
    assert rollout is not None
    assert (rollout.state, rollout.reason) == (State.ABORTING, "RouteNotAccepted")


@pytest.mark.transition("stable-lost-last-pod", "promote-full-command")
def test_promote_full_helps_where_stable_is_broken() -> None:
    """A fix can be promoted though the stable revision lacks the pods for its weight."""
    world = canary_at(State.SHIFTING)
    world.broken["v1"] = unready()
    world.run(20)
    assert world.state is State.ANALYSING
    world.command = "promote-full@1"
    world.until(None)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v2"


def test_promote_full_is_aborted_by_the_judge() -> None:
    """A revision that skips its steps is still judged until the commit."""
    world = canary_at(State.ANALYSING, MachineWorld(replicas=10))
    world.run(10)
    world.broken["v2"] = unready(ready=8)
    world.command = "promote-full@1"
    world.step()
    world.verdict = Verdict.ABORT
    world.run(10)
    assert (world.state, world.writes[-1]) == (State.ABORT_DRAINING, (("v1", 100),))


@pytest.mark.transition("abort-command")
def test_abort_beats_promote_full() -> None:
    """Until the commit, `abort` takes all traffic back in one write."""
    world = canary_at(State.ANALYSING)
    world.command = "promote-full@1"
    world.until(State.PROMOTING)
    world.command = "abort@2"
    world.step()
    assert (world.state, world.writes[-1]) == (State.ABORTING, (("v1", 100), ("v2", 0)))
    world.until(None)
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.outcome is Outcome.ABORTED


@pytest.mark.transition("promote-full-command", "bake-passed")
@pytest.mark.parametrize("state", [State.STARTING, State.AWAITING_PROMOTION])
def test_promote_full_keeps_blue_greens_bake(state: State) -> None:
    """Blue-green's new revision is still judged with all traffic before the old one stops."""
    world = MachineWorld(settings=BLUE_GREEN).serve().ask_for("v2")
    world.until(state)
    world.command = "promote-full@1"
    world.until(State.BAKING)
    begun = world.bake_began
    world.until(State.DRAINING)
    assert world.now - begun >= 60


def test_promote_full_takes_an_unwritten_weight_back() -> None:
    """A raise that was stored but not written before a kill is skipped: 100 % comes next."""
    world = canary_at(State.PRIMING)
    world.step()
    world.now += 60
    world.effects = False
    world.step()
    assert (world.state, world.route[1]) == (State.SHIFTING, ("v2", 0))
    world.effects = True
    world.broken["v2"] = unready(ready=0)
    world.command = "promote-full@1"
    world.run(3)
    assert world.route == (("v1", 100), ("v2", 0))


def test_promote_full_that_was_not_written_goes_back_to_the_weight_before() -> None:
    """A switch that was stored but not written leaves the step's weight, not the last step's."""
    world = canary_at(State.ANALYSING)
    world.command = "promote-full@1"
    world.step()
    assert world.state is State.SCALING_UP
    world.effects = False
    world.step()
    assert world.state is State.PROMOTING
    world.effects = True
    world.broken["v2"] = unready(ready=1)
    world.step()
    assert (world.state, world.route) == (State.SCALING_UP, (("v1", 90), ("v2", 10)))


def test_lost_pods_do_not_bring_the_steps_back() -> None:
    """After `promote-full` a revision whose pods return goes straight to full scale."""
    world = canary_at(State.ANALYSING)
    world.broken["v2"] = unready()
    world.command = "promote-full@1"
    world.run(3)
    assert world.state is State.PRIMING
    world.broken.clear()
    world.until(None)
    assert (("v1", 50), ("v2", 50)) not in world.writes


@pytest.mark.transition("promote-full-force-command")
@pytest.mark.parametrize("state", [*SMALL, State.SCALING_UP, State.PROMOTING, State.BAKING])
def test_force_skips_the_bake_and_the_judge(state: State) -> None:
    """From any state a revision is promoted as soon as its pods and the route are ready."""
    world = canary_at(state, MachineWorld(settings=LONG_BAKE))
    world.verdict = Verdict.ABORT
    world.command = "promote-full-force@1"
    world.run(25)
    last = world.status.last_rollout
    assert last is not None
    assert (last.outcome, last.revision) == (Outcome.FAST_PROMOTED, "v2")
    assert "`promote-full-force`" in last.message
    assert world.reasons.count("StepsSkipped") + world.reasons.count("BakeSkipped") == 1


@pytest.mark.transition("promote-full-force-command")
@pytest.mark.parametrize("state", [State.ANALYSING, State.SCALING_UP])
def test_force_awaits_pods(state: State) -> None:
    """`promote-full-force` gives no traffic to missing pods; `abort` overrides it."""
    world = canary_at(state, MachineWorld(settings=LONG_BAKE, replicas=10))
    world.broken["v2"] = unready(ready=8)
    world.command = "promote-full-force@1"
    world.run(50)
    assert world.state is State.SCALING_UP
    world.command = "abort@2"
    world.step()
    assert world.state is State.ABORTING


@pytest.mark.transition("promote-full-force-command")
def test_force_takes_an_unwritten_switch_back() -> None:
    """A switch that was stored but not written is not written if its pods are gone."""
    world = canary_at(State.SCALING_UP, MachineWorld(settings=LONG_BAKE))
    world.effects = False
    world.until(State.PROMOTING)
    world.effects = True
    world.broken["v2"] = unready(ready=1)
    world.command = "promote-full-force@1"
    world.step()
    assert (world.state, world.route) == (State.SCALING_UP, (("v1", 50), ("v2", 50)))


@pytest.mark.transition("abort-drained")
@pytest.mark.parametrize("seconds", [0, 30, 600])
def test_aborted_revision_is_kept_for_inspection(seconds: int) -> None:
    """Its pods stay for `abortScaleDownDelaySeconds`, at least until it has left the route."""
    world = canary_at(
        State.ANALYSING,
        MachineWorld(settings=changed(SETTINGS, abort_scale_down_delay_seconds=seconds)),
    )
    world.command = "abort@1"
    world.until(State.ABORT_DRAINING)
    begun = world.now
    assert world.desired == {"v1": 2, "v2": 1}
    world.until(None)
    took = max(seconds, ANALYSIS.settle_seconds)
    assert took <= world.now - begun < took + 10
    world.step()
    assert world.desired == {"v1": 2}


@pytest.mark.transition("abort-drained")
@pytest.mark.parametrize("asked", ["v1", "v3"])
def test_aborted_revision_does_not_block_the_next(asked: str) -> None:
    """The next rollout does not wait for `abortScaleDownDelaySeconds`."""
    world = canary_at(
        State.ANALYSING,
        MachineWorld(settings=changed(SETTINGS, abort_scale_down_delay_seconds=3600)),
    )
    world.command = "abort@1"
    world.until(State.ABORT_DRAINING)
    world.run(12)
    world.ask_for(asked).step()
    assert world.state is None


def test_token_acts_once_though_others_came_between() -> None:
    """`promote@1`, another command, `promote@1` again: one step, not two."""
    world = canary_at(State.ANALYSING)
    world.verdict = Verdict.CONTINUE
    for command in ("promote@1", "pause@2", "resume@3", "promote@1"):
        world.command = command
        world.run(20)
    assert (world.state, world.writes[-1]) == (State.ANALYSING, (("v1", 50), ("v2", 50)))
    assert world.reasons.count("CommandRejected") == 1


def test_rejected_token_may_be_used() -> None:
    """A rejected command does not use up its token: the intended abort is executed."""
    world = canary_at(State.ANALYSING)
    for command in ("abrot@1", "abort@1"):
        world.command = command
        world.step()
    assert world.state is State.ABORTING
