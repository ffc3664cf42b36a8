"""What happens in each state when nothing speaks against going on: at most one step a pass."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from halimede.api.reasons import EventReason, Reason, Verdict
from halimede.api.rollout import Mirror, Strategy
from halimede.api.status import Outcome, State
from halimede.rollout.checks.bake import baking
from halimede.rollout.checks.safety import inconclusive
from halimede.rollout.checks.waits import (
    analysis_message,
    wait_for_evidence,
    wait_for_pods,
    wait_for_route,
    wait_for_tests,
    wait_for_user,
)
from halimede.rollout.command import Verb
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import enter, set_weight, undo_raise, wait, with_rollout
from halimede.rollout.events import Event, join_sentences, normal
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.steps import PRE_TRAFFIC, is_stepwise, mirror_due, skips_steps

SKIPPABLE = frozenset(
    {
        State.STARTING,
        State.PRIMING,
        State.MIRRORING,
        State.SHIFTING,
        State.ANALYSING,
        State.STEP_PAUSED,
        State.AWAITING_PROMOTION,
    }
)
"""The states from which `promote-full` goes on to full scale."""
RESET_ANALYSIS = {"evidence": None, "polled_at": None, "step_started_at": None}
"""What is forgotten of a rehearsal when users come."""


def starting(scene: RolloutContext) -> Decision:
    """Wait for enough pods, then let the route know the revision at weight 0."""
    rollout, canary = scene.rollout, scene.canary
    if canary.ready_endpoints < scene.min_ready:
        return wait_for_pods(scene, canary, scene.min_ready)
    if rollout.strategy is Strategy.BLUE_GREEN and not skips_steps(rollout):
        event = normal(
            EventReason.PREVIEW_READY, f"Revision {rollout.revision} is ready to be promoted."
        )
        changes = {"unready_since": None, "step_started_at": None}
        return set_weight(scene, State.AWAITING_PROMOTION, 0, event, **changes)
    return set_weight(scene, State.PRIMING, 0)


def priming(scene: RolloutContext) -> Decision:
    """Give proxies time to learn the revision's pods before they are asked to use them."""
    if scene.canary.ready_endpoints == 0:
        return wait_for_pods(scene, scene.canary, scene.min_ready)
    if not scene.route_settled:
        return wait_for_route(scene)
    if not is_stepwise(scene.rollout):
        return enter(scene, State.SCALING_UP, unready_since=None)
    if mirror := mirror_due(scene.rollout, scene.settings):
        return mirror_requests(scene, mirror)
    return shift(scene)


def mirror_requests(scene: RolloutContext, mirror: Mirror) -> Decision:
    """Ask the route for copies of requests, if there are pods for these."""
    if scene.canary.ready_endpoints < scene.min_ready:
        return wait_for_pods(scene, scene.canary, scene.min_ready)
    event = normal(
        EventReason.MIRRORING,
        f"Revision {scene.rollout.revision} gets copies of {mirror.percent} % of the requests.",
    )
    return set_weight(
        scene, State.MIRRORING, 0, event, unready_since=None, step_started_at=None, evidence=None
    )


def shift(scene: RolloutContext) -> Decision:
    """Ask the route for the step's weight, if the pods for it are ready."""
    if unable_to_raise(scene) is None and scene.attainable_weight > scene.rollout.weight:
        return raise_weight(scene)
    return set_weight(scene, State.SHIFTING, scene.rollout.weight, unready_since=None)


def raise_weight(scene: RolloutContext) -> Decision:
    """Ask the route for the step's weight, or for what the pods of it that are ready can carry."""
    rollout = scene.rollout
    event = normal(
        EventReason.STEP_STARTED,
        f"Revision {rollout.revision} gets {scene.attainable_weight} % of the requests"
        f" (step {rollout.step + 1} of {rollout.steps}).",
    )
    return set_weight(scene, State.SHIFTING, scene.attainable_weight, event, unready_since=None)


def shifting(scene: RolloutContext) -> Decision:
    """Wait until the step's weight is live."""
    rollout = scene.rollout
    lack = unable_to_raise(scene)
    if rollout.weight < scene.attainable_weight:
        return lack or (raise_weight(scene) if scene.route_live else wait_for_route(scene))
    if scene.raise_unwritten and lack:
        return undo_raise(scene, State.SHIFTING)
    if scene.step_weight == 0 and lack:
        return lack
    if not scene.route_settled:
        return wait_for_route(scene)
    if rollout.weight < scene.step_weight:
        return wait_for_pods(scene, scene.canary, scene.min_ready)
    return enter(scene, State.ANALYSING, step_started_at=scene.now)


def unable_to_raise(scene: RolloutContext) -> Decision | None:
    """Say which side lacks pods for the step's weight; None if neither does."""
    wanted = (
        scene.replicas_for(scene.attainable_weight)[0] if scene.replaces_pods else scene.min_ready
    )
    if scene.canary.ready_endpoints < wanted:
        return wait_for_pods(scene, scene.canary, scene.min_ready)
    if scene.shared_service and scene.rollout.weight == 0 and scene.facts.others:
        return wait(
            scene,
            Reason.ROLLING_OUT,
            f"{scene.facts.others} pods of other revisions are to end first: the entry Service"
            " would select them, too.",
        )
    return stable_lacks_pods(scene, scene.attainable_weight)


def stable_lacks_pods(scene: RolloutContext, weight: int) -> Decision | None:
    """Say that the stable revision could not carry what *weight* leaves to it; None if it can."""
    base, rest = scene.stable, scene.replicas_for(weight)[1]
    if scene.replaces_pods and rest > 1:
        rest -= 1  # the one that was given up for the next of the canary's
    if base.ready_endpoints >= rest:
        return None
    return wait(
        scene,
        Reason.STABLE_UNHEALTHY,
        f"The stable revision {base.revision} has {base.ready_endpoints} of {rest} ready pods"
        " that its share needs.",
        base.message,
    )


def analysing(scene: RolloutContext) -> Decision:
    """Go on when the judge says in this very pass that the step is passed."""
    if lack := stable_lacks_pods(scene, scene.rollout.weight):
        return lack
    rollout, step = scene.rollout, scene.step
    since = rollout.step_started_at or rollout.state_since
    if step and rollout.weight == 0:
        over = scene.elapsed(since) >= step.min_seconds
        return pass_step(scene) if over else wait_for_tests(scene, step.min_seconds)
    if scene.verdict is Verdict.PASS and step and scene.elapsed(since) >= step.min_seconds:
        return pass_step(scene)
    if inconclusive(scene):
        return wait_for_user(scene)
    return wait_for_evidence(scene)


def pass_step(scene: RolloutContext) -> Decision:
    """Go on from a step that has passed, or begin its pause."""
    if scene.step and scene.step.pause:
        return enter(scene, State.STEP_PAUSED, step_passed_event(scene))
    return next_step(scene, step_passed_event(scene))


def step_passed_event(scene: RolloutContext) -> Event:
    """Tell that a step has passed, and by which figures."""
    step = f"Step {scene.rollout.step + 1} of {scene.rollout.steps} passed"
    return normal(EventReason.STEP_PASSED, join_sentences(step, analysis_message(scene)))


def step_paused(scene: RolloutContext) -> Decision:
    """Wait for the end of the step's pause, and then for a judge who is still content."""
    if lack := stable_lacks_pods(scene, scene.rollout.weight):
        return lack
    rollout, pause = scene.rollout, scene.step and scene.step.pause
    if pause and pause.seconds is None:
        return wait(
            scene,
            Reason.PAUSED,
            f"Step {rollout.step + 1} of {rollout.steps} passed; revision {rollout.revision} stays"
            f" at {rollout.weight} % until the command `promote`.",
            analysis_message(scene),
        )
    if pause and scene.elapsed(rollout.last_progress_at) < (pause.seconds or 0):
        return wait(
            scene,
            Reason.ROLLING_OUT,
            f"Step {rollout.step + 1} of {rollout.steps} passed; revision {rollout.revision} stays"
            f" at {rollout.weight} % for {pause.seconds} s.",
            analysis_message(scene),
        )
    if scene.verdict is Verdict.PASS or rollout.weight == 0:
        return next_step(scene)
    return wait_for_user(scene) if inconclusive(scene) else wait_for_evidence(scene)


def next_step(scene: RolloutContext, *events: Event) -> Decision:
    """Go one step on; after the last one, to full scale."""
    rollout = scene.rollout
    if rollout.step + 1 >= len(scene.settings.canary.steps):
        return enter(scene, State.SCALING_UP, *events)
    return enter(scene, State.SHIFTING, *events, step=rollout.step + 1)


def scaling_up(scene: RolloutContext) -> Decision:
    """Wait for full scale, then ask the route for everything, or all but the control share."""
    rollout = scene.rollout
    if not scene.at_full_scale:
        return scale_up(scene)
    if not scene.route_live:
        return wait_for_route(scene)
    weight = scene.bake_weight
    told = f"Revision {rollout.revision} gets all requests."
    if weight < FULL_WEIGHT:
        told = (
            f"Revision {rollout.revision} gets {weight} % of the requests;"
            f" {FULL_WEIGHT - weight} % stay on {rollout.base} until the bake ends."
        )
    return set_weight(scene, State.PROMOTING, weight, normal(EventReason.PROMOTING, told))


def scale_up(scene: RolloutContext) -> Decision:
    """Wait for full scale. Where pods are replaced, the weight follows those that are ready."""
    rollout = scene.rollout
    if scene.raise_unwritten and not scene.can_carry(rollout.weight):
        return undo_raise(scene, State.SCALING_UP)
    if scene.replaces_pods and rollout.weight < scene.attainable_weight and scene.route_live:
        lack = stable_lacks_pods(scene, scene.attainable_weight)
        return lack or set_weight(scene, State.SCALING_UP, scene.attainable_weight)
    return wait_for_pods(scene, scene.canary, scene.min_ready)


def promoting(scene: RolloutContext) -> Decision:
    """Wait until the traffic is on the revision."""
    if scene.raise_unwritten and not scene.at_full_scale:
        recreate = scene.rollout.strategy is Strategy.RECREATE
        return undo_raise(scene, State.STARTING if recreate else State.SCALING_UP)
    if not scene.route_settled:
        return wait_for_route(scene)
    return enter(scene, State.BAKING)


def promote_commanded(scene: RolloutContext) -> Decision | None:
    """Somebody has seen enough: go on without further evidence. Readiness is still awaited."""
    if not scene.commanded(Verb.PROMOTE):
        return None
    match scene.rollout.state:
        case State.ANALYSING:
            return replace(next_step(scene, step_passed_event(scene)), handled=True)
        case State.STEP_PAUSED:
            return replace(next_step(scene), handled=True)
        case _:
            return None


def promote_full_commanded(scene: RolloutContext) -> Decision | None:
    """Skip the remaining steps. Full scale, the route and the bake are still awaited."""
    if not scene.commanded(Verb.PROMOTE_FULL) or scene.rollout.state not in SKIPPABLE:
        return None
    return _skip_steps(scene, "Its remaining steps were skipped by the command `promote-full`.")


def promote_full_force_commanded(scene: RolloutContext) -> Decision | None:
    """Skip the bake as well, and ask the judge no more. Full scale and the route are awaited."""
    if not scene.commanded(Verb.PROMOTE_FULL_FORCE):
        return None
    message = "What remained was skipped by the command `promote-full-force`, the bake too."
    state = scene.rollout.state
    if state in SKIPPABLE:
        return _skip_steps(scene, message, forced=True)
    if state not in FINAL_STATES:
        return None
    forced = with_rollout(
        scene.status, outcome=Outcome.FAST_PROMOTED, message=message, skip_analysis=True
    )
    event = normal(
        EventReason.BAKE_SKIPPED, f"Revision {scene.rollout.revision} is promoted without a bake."
    )
    moved = FINAL_STATES[state](replace(scene, status=forced))
    return replace(moved, events=(event, *moved.events), handled=True)


FINAL_STATES: Mapping[State, Callable[[RolloutContext], Decision]] = {
    State.SCALING_UP: scaling_up,
    State.PROMOTING: promoting,
    State.BAKING: baking,
}
"""What is done in the states that no command skips."""


def _skip_steps(scene: RolloutContext, message: str, *, forced: bool = False) -> Decision:
    state = scene.rollout.state
    event = normal(
        EventReason.STEPS_SKIPPED,
        f"Revision {scene.rollout.revision} gets all requests at full scale.",
    )
    decided = with_rollout(
        scene.status, outcome=Outcome.FAST_PROMOTED, message=message, skip_analysis=forced
    )
    told = replace(scene, status=decided)
    if state in (State.STARTING, State.PRIMING):
        # Proxies are still to learn its pods, now all of them.
        return replace(enter(told, state, event), handled=True)
    if state in PRE_TRAFFIC:
        moved = enter(told, State.SCALING_UP, event, unready_since=None, **RESET_ANALYSIS)
        return replace(moved, handled=True)
    back = {"weight": scene.rollout.weight_before} if scene.raise_unwritten else {}
    return replace(enter(told, State.SCALING_UP, event, unready_since=None, **back), handled=True)
