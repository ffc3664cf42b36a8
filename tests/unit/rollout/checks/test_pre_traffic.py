"""Analysis before users meet a revision: by copies of requests, or behind a preview."""

import pytest

from halimede.api.analysis import Analysis, OnTimeout
from halimede.api.match import HeaderMatch, Match
from halimede.api.reasons import Reason, Verdict
from halimede.api.rollout import (
    BlueGreen,
    Canary,
    Mirror,
    PreviewAnalysis,
    Rollout,
    Scale,
    Step,
    Strategy,
)
from halimede.api.status import Outcome, State
from halimede.rollout.requeue import requeue_after
from tests.support.rollouts import SETTINGS, STEPS, MachineWorld, canary_at, changed, unready

MIRROR = Mirror(percent=100, min_seconds=120, max_seconds=600)
PREVIEW = PreviewAnalysis(mirror_percent=50, min_seconds=120, max_seconds=600)


def mirrored(mirror: Mirror = MIRROR, *steps: Step, **changes: object) -> MachineWorld:
    """Make a world whose canaries are mirrored to first."""
    canary = Canary(steps=steps or STEPS, mirror=mirror, bake_seconds=60)
    return MachineWorld(settings=changed(SETTINGS, canary=canary, **changes), replicas=4)


def previewed(*, auto: bool = True, **changes: object) -> MachineWorld:
    """Make a world whose previews are judged."""
    blue_green = BlueGreen(auto_promote=auto, bake_seconds=60, preview_analysis=PREVIEW)
    settings: Rollout = changed(
        SETTINGS, strategy=Strategy.BLUE_GREEN, blue_green=blue_green, **changes
    )
    return MachineWorld(settings=settings)


def begun(world: MachineWorld, state: State) -> MachineWorld:
    """Run a rollout to its analysis before the first users."""
    canary_at(state, world)
    world.run(8)
    assert world.status.rollout is not None
    assert world.status.rollout.step_started_at is not None
    return world


def copies(world: MachineWorld) -> int:
    """Return the percentage of requests that is copied to the canary."""
    return world.arranged.mirror_percent if world.arranged else 0


def deciding(**changes: object) -> Analysis:
    """Change the analysis settings."""
    return SETTINGS.analysis.evolve(**changes)


@pytest.mark.transition("mirror-started")
def test_mirror_comes_before_the_first_weight() -> None:
    """The pods for the copies exist, and the canary answers no user."""
    world = begun(mirrored(), State.MIRRORING)
    assert (copies(world), world.desired["v2"], world.route) == (
        100,
        4,
        (("v1", 100), ("v2", 0)),
    )


@pytest.mark.transition("mirror-passed")
def test_mirror_ends_with_the_judges_consent() -> None:
    """A pass ends the mirror after `minSeconds`; the first step starts with new evidence."""
    world = canary_at(State.MIRRORING, mirrored())
    entered = world.now
    world.until(State.SHIFTING)
    assert world.now - entered >= 120
    assert (copies(world), world.route) == (0, (("v1", 90), ("v2", 10)))
    assert world.status.rollout is not None
    assert (world.status.rollout.evidence, world.status.rollout.mirrored_at) == (None, world.now)
    world.until(None)
    assert world.path.count(State.MIRRORING) == 1
    assert world.status.stable is not None
    assert world.status.stable.revision == "v2"


@pytest.mark.transition("mirror-awaits-verdict")
def test_mirror_waits_for_the_judge() -> None:
    """Without evidence no user meets the revision; after `maxSeconds` the rollout pauses."""
    world = begun(mirrored(), State.MIRRORING)
    world.verdict = Verdict.CONTINUE
    world.run(20, seconds=20)
    assert world.last.wait is not None
    assert world.last.wait.reason is Reason.ROLLING_OUT
    world.run(20, seconds=20)
    assert world.last.wait.reason is Reason.PAUSED
    assert (world.state, world.route) == (State.MIRRORING, (("v1", 100), ("v2", 0)))


def test_mirror_that_is_inconclusive_can_end_the_rollout() -> None:
    """`onInconclusive` applies to the mirror as it does to steps."""
    world = mirrored(analysis=deciding(on_inconclusive=OnTimeout.ABORT))
    begun(world, State.MIRRORING)
    world.verdict = Verdict.CONTINUE
    world.until(State.ABORTING)
    assert world.status.rollout is not None
    assert world.status.rollout.reason == "Inconclusive"


def test_bad_copies_stop_a_revision_that_no_user_met() -> None:
    """An abort verdict ends the mirror at any time."""
    world = begun(mirrored(), State.MIRRORING)
    world.verdict = Verdict.ABORT
    world.until(State.ABORTING)
    world.until(None)
    assert {dict(shares).get("v2", 0) for shares in world.writes} == {0}
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.outcome is Outcome.ABORTED


@pytest.mark.parametrize(
    ("command", "state"), [("promote", State.SHIFTING), ("promote-full", State.SCALING_UP)]
)
def test_mirror_can_be_cut_short(command: str, state: State) -> None:
    """A command ends the mirror early."""
    world = begun(mirrored(), State.MIRRORING)
    world.verdict = Verdict.NO_DATA
    world.command = f"{command}@1"
    world.step()
    assert (world.state, copies(world)) == (state, 0)
    assert world.status.rollout is not None
    assert world.status.rollout.evidence is None


def test_mirror_that_is_edited_away_is_over() -> None:
    """A mirror that is removed from the spec ends."""
    world = begun(mirrored(), State.MIRRORING)
    world.verdict = Verdict.NO_DATA
    world.settings = changed(world.settings, canary=Canary(steps=STEPS))
    world.step()
    assert (world.state, copies(world)) == (State.SHIFTING, 0)


def test_copies_never_go_to_a_revision_without_pods() -> None:
    """The mirror stops without ready pods and restarts when they are back."""
    world = begun(mirrored(), State.MIRRORING)
    world.broken["v2"] = unready()
    world.step()
    assert (world.state, copies(world)) == (State.PRIMING, 0)
    world.broken.pop("v2")
    world.until(State.MIRRORING)
    world.until(None)
    assert world.path.count(State.MIRRORING) == 2


def test_copies_wait_for_all_the_pods_that_they_need() -> None:
    """The mirror waits for its pods, because too few would fail from load, not from the model."""
    world = mirrored(Mirror(percent=60))
    world.broken["v2"] = unready(ready=2)
    world.serve().ask_for("v2").run(20)
    assert (world.state, world.desired["v2"]) == (State.STARTING, 3)
    world.broken.pop("v2")
    world.until(State.MIRRORING)


@pytest.mark.transition("mirror-rejected")
def test_gateway_that_rejects_copies_gets_its_old_route_back() -> None:
    """A route that is not accepted because of the mirror aborts the rollout."""
    world = canary_at(State.MIRRORING, mirrored())
    world.step()
    world.rejected = True
    world.step()
    assert (world.state, copies(world)) == (State.ABORTING, 0)
    assert world.status.rollout is not None
    assert world.status.rollout.reason == "RouteNotAccepted"


def test_testers_meet_the_revision_while_it_is_mirrored() -> None:
    """Testers reach the canary before its first weight."""
    world = mirrored()
    match = Match(headers=(HeaderMatch(name="x-tester", value="yes"),))
    canary = world.settings.canary.evolve(match=match)
    world.settings = changed(world.settings, canary=canary)
    begun(world, State.MIRRORING)
    assert world.arranged is not None
    assert world.arranged.header_routed


def test_first_step_without_weight_follows_the_mirror() -> None:
    """After the mirror a first step of weight 0 has its own number of pods."""
    smoke = Step(weight=0, min_seconds=60, scale=Scale(replicas=2))
    world = canary_at(State.MIRRORING, mirrored(MIRROR, smoke, *STEPS))
    assert world.desired["v2"] == 4
    world.until(State.ANALYSING)
    world.step()
    assert (world.desired["v2"], world.route) == (2, (("v1", 100), ("v2", 0)))


def test_reconcile_is_due_at_the_end_of_the_mirror() -> None:
    """The end of the mirror schedules a reconcile even if no poll is due."""
    world = begun(mirrored(), State.MIRRORING)
    assert world.status.rollout is not None
    changes = {"polled_at": world.now + 5000, "last_progress_at": world.now + 5000}
    rollout = world.status.rollout.evolve(**changes)
    started = world.status.rollout.step_started_at or 0.0
    world.now += 20
    status = world.status.evolve(rollout=rollout)
    assert requeue_after(status, world.settings, world.now) == pytest.approx(
        started + 600 - world.now
    )


@pytest.mark.transition("preview-passed")
def test_preview_is_switched_with_the_judges_consent() -> None:
    """`autoPromote` waits for the certificate, and the bake starts with new evidence."""
    world = canary_at(State.AWAITING_PROMOTION, previewed())
    entered = world.now
    assert copies(world) == 50
    world.until(State.SCALING_UP)
    assert world.now - entered >= 120
    assert world.status.rollout is not None
    assert (copies(world), world.status.rollout.evidence) == (0, None)
    world.until(None)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v2"


def test_preview_without_evidence_is_not_switched() -> None:
    """`autoPromote` does not switch without evidence."""
    world = begun(previewed(), State.AWAITING_PROMOTION)
    world.verdict = Verdict.NO_DATA
    world.run(100, seconds=20)
    assert world.last.wait is not None
    assert (world.state, world.last.wait.reason) == (
        State.AWAITING_PROMOTION,
        Reason.METRICS_HOLD,
    )


def test_preview_shows_the_verdict_before_a_promotion() -> None:
    """Without `autoPromote` the verdict is shown but does not hold the command."""
    world = begun(previewed(auto=False), State.AWAITING_PROMOTION)
    world.run(100, seconds=20)
    assert world.last.wait is not None
    assert "The judge says Pass" in world.last.wait.message
    world.verdict = Verdict.CONTINUE
    world.command = "promote@1"
    world.step()
    assert world.state is State.SCALING_UP


@pytest.mark.parametrize("world", [previewed(auto=True), previewed(auto=False)])
def test_bad_preview_is_aborted(world: MachineWorld) -> None:
    """A bad preview is aborted without a question to the user."""
    begun(world, State.AWAITING_PROMOTION)
    world.verdict = Verdict.ABORT
    world.until(None)
    assert world.status.last_rollout is not None
    assert world.status.last_rollout.reason == "AnalysisFailed"


def test_judged_preview_without_pods_starts_again() -> None:
    """Errors caused by missing pods do not count against the model."""
    world = begun(previewed(), State.AWAITING_PROMOTION)
    world.broken["v2"] = unready()
    world.step()
    assert (world.state, copies(world)) == (State.STARTING, 0)
    world.broken.pop("v2")
    world.until(State.AWAITING_PROMOTION)
    world.until(None)
    assert world.status.stable is not None
    assert world.status.stable.revision == "v2"
