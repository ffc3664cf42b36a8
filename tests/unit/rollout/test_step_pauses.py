"""Pauses of steps: how they begin, what continues meanwhile, and what ends them."""

import pytest

from halimede.api.reasons import Reason, Verdict
from halimede.api.rollout import Canary, Step, StepPause
from halimede.api.status import Outcome, State
from halimede.rollout.requeue import requeue_after
from tests.support.rollouts import SETTINGS, MachineWorld, canary_at, changed, unready

TIMED, MANUAL = StepPause(seconds=600), StepPause()


def paused(pause: StepPause | None, **changes: object) -> MachineWorld:
    """Run a canary to the pause of its first step."""
    steps = (Step(weight=10, pause=pause), Step(weight=50))
    settings = changed(SETTINGS, canary=Canary(steps=steps), **changes)
    return canary_at(State.STEP_PAUSED, MachineWorld(settings=settings))


@pytest.mark.transition("step-pause-over")
def test_timed_pause_ends_by_itself() -> None:
    """After its seconds, and not before, the rollout moves on to the next step."""
    world = paused(TIMED)
    begun = world.now
    world.until(State.SHIFTING)
    assert 600 <= world.now - begun < 600 + 2 * SETTINGS.analysis.interval_seconds
    world.until(None)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v2"


def test_pause_is_waited_for_by_the_clock() -> None:
    """The end of the pause schedules a reconcile if nothing else is due before."""
    world = paused(TIMED, progress_deadline_seconds=7200)
    assert world.status.rollout is not None
    rollout = world.status.rollout.evolve(polled_at=world.now + 5000)
    status = world.status.evolve(rollout=rollout)
    world.now += 20
    assert requeue_after(status, world.settings, world.now) == pytest.approx(580)


@pytest.mark.transition("step-pause")
def test_pause_without_seconds_waits_for_promote() -> None:
    """However long the verdict is Pass, only a command ends the pause, and one is enough."""
    world = paused(MANUAL)
    world.run(100, seconds=60)
    assert (world.state, world.last.wait and world.last.wait.reason) == (
        State.STEP_PAUSED,
        Reason.PAUSED,
    )
    world.command = "promote@1"
    world.step()
    assert world.state is State.SHIFTING
    assert world.status.rollout is not None
    assert world.status.rollout.step == 1


def test_promote_before_the_verdict_skips_the_pause() -> None:
    """`promote` during the analysis of a step moves to the next step, not to the pause."""
    settings = changed(SETTINGS, canary=Canary(steps=(Step(weight=10, pause=MANUAL),)))
    world = canary_at(State.ANALYSING, MachineWorld(settings=settings))
    world.verdict = Verdict.CONTINUE
    world.command = "promote@1"
    world.step()
    assert world.state is State.SCALING_UP


def test_forgotten_pause_of_a_step_is_aborted() -> None:
    """After `pauseTimeoutSeconds` the rollout is aborted."""
    world = paused(MANUAL, pause_timeout_seconds=3600)
    begun = world.now
    world.until(State.ABORTING, passes=800)
    assert 3600 <= world.now - begun < 3700
    assert world.status.rollout is not None
    assert world.status.rollout.reason == "PauseTimeout"


def test_timed_pause_is_never_forgotten() -> None:
    """A timed pause is not aborted, however short `pauseTimeoutSeconds` is."""
    world = paused(TIMED, pause_timeout_seconds=60)
    world.until(State.SHIFTING)


@pytest.mark.parametrize("pause", [TIMED, MANUAL])
def test_bad_news_end_a_pause(pause: StepPause) -> None:
    """The judge polls during a pause and aborts a revision that turns bad."""
    world = paused(pause)
    world.verdict = Verdict.ABORT
    world.until(State.ABORTING, passes=10)
    assert world.status.rollout is not None
    assert world.status.rollout.outcome is Outcome.ABORTED


@pytest.mark.parametrize("pause", [TIMED, MANUAL])
def test_pause_sheds_a_revision_without_pods(pause: StepPause) -> None:
    """A revision without pods loses its weight during a pause, too."""
    world = paused(pause)
    world.broken["v2"] = unready()
    world.step()
    assert world.route == (("v1", 100), ("v2", 0))


def test_judge_who_doubts_after_a_pause_is_waited_for() -> None:
    """After a pause the step needs a pass again, and `maxSeconds` restarts."""
    world = paused(TIMED)
    world.verdict = Verdict.CONTINUE
    world.run(90, seconds=20)
    assert (world.state, world.last.wait and world.last.wait.reason) == (
        State.STEP_PAUSED,
        Reason.ROLLING_OUT,
    )
    world.run(40, seconds=20)
    assert world.last.wait is not None
    assert world.last.wait.reason is Reason.PAUSED
    world.verdict = Verdict.PASS
    world.until(State.SHIFTING, passes=10)


@pytest.mark.parametrize("pause", [None, StepPause(seconds=1)])
def test_pause_that_is_edited_away_is_over(pause: StepPause | None) -> None:
    """A pause that is removed from the spec ends."""
    world = paused(MANUAL)
    edited = Canary(steps=(Step(weight=10, pause=pause), Step(weight=50)))
    world.settings = changed(world.settings, canary=edited)
    world.until(State.SHIFTING, passes=10)


def test_step_raised_in_its_pause_is_judged_again() -> None:
    """A step that passed at 10 % is judged again at 20 %."""
    world = paused(MANUAL)
    edited = Canary(steps=(Step(weight=20, pause=MANUAL), Step(weight=50)))
    world.settings = changed(world.settings, canary=edited)
    world.step()
    assert world.state is State.SHIFTING
    world.until(State.ANALYSING)
    assert world.route == (("v1", 80), ("v2", 20))


def test_command_pause_restarts_the_pause_of_the_step() -> None:
    """After `resume` the step's pause runs in full."""
    world = paused(TIMED)
    world.run(20, seconds=20)
    world.command = "pause@1"
    world.run(20, seconds=20)
    world.command = "resume@2"
    world.step()
    resumed = world.now
    world.until(State.SHIFTING)
    assert world.now - resumed >= 600
