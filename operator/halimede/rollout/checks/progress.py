"""The check of each state that takes a rollout on, by at most one step per reconcile."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from halimede.api.reasons import EventReason, Reason, Verdict
from halimede.api.rollout import Mirror, Strategy
from halimede.api.status import Outcome, State
from halimede.judge.messages import plural
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
from halimede.rollout.sizing.pods import (
    at_full_scale,
    attainable_weight,
    bake_weight,
    can_carry,
    min_ready,
    replicas_for,
)
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.states import FINAL, PRE_TRAFFIC, SKIPPABLE, UNDISCOVERED
from halimede.rollout.steps import is_stepwise, mirror_due, skips_steps

RESET_ANALYSIS = {"evidence": None, "polled_at": None, "step_started_at": None}
"""Changes that reset the analysis before users' requests come."""


def starting(ctx: RolloutContext) -> Decision:
    """Wait for enough pods, then add the revision to the route at weight 0."""
    rollout, canary = ctx.rollout, ctx.canary
    if canary.ready_endpoints < min_ready(ctx):
        return wait_for_pods(ctx, canary, min_ready(ctx))
    if rollout.strategy is Strategy.BLUE_GREEN and not skips_steps(rollout):
        event = normal(
            EventReason.PREVIEW_READY, f"Revision {rollout.revision} is ready to be promoted."
        )
        changes = {"unready_since": None, "step_started_at": None}
        return set_weight(ctx, State.AWAITING_PROMOTION, 0, event, **changes)
    return set_weight(ctx, State.PRIMING, 0)


def priming(ctx: RolloutContext) -> Decision:
    """Give proxies time to discover the revision's pods before these get requests."""
    if ctx.canary.ready_endpoints == 0:
        return wait_for_pods(ctx, ctx.canary, min_ready(ctx))
    if not ctx.route_settled:
        return wait_for_route(ctx)
    if not is_stepwise(ctx.rollout):
        return enter(ctx, State.SCALING_UP, unready_since=None)
    if mirror := mirror_due(ctx.rollout, ctx.settings):
        return mirror_requests(ctx, mirror)
    return shift(ctx)


def mirror_requests(ctx: RolloutContext, mirror: Mirror) -> Decision:
    """Mirror requests to the revision, if it has the pods for them."""
    if ctx.canary.ready_endpoints < min_ready(ctx):
        return wait_for_pods(ctx, ctx.canary, min_ready(ctx))
    event = normal(
        EventReason.MIRRORING,
        f"Revision {ctx.rollout.revision} gets copies of {mirror.percent} % of the requests.",
    )
    return set_weight(
        ctx, State.MIRRORING, 0, event, unready_since=None, step_started_at=None, evidence=None
    )


def shift(ctx: RolloutContext) -> Decision:
    """Set the step's weight, if the pods for it are ready."""
    if unable_to_raise(ctx) is None and attainable_weight(ctx) > ctx.rollout.weight:
        return raise_weight(ctx)
    return set_weight(ctx, State.SHIFTING, ctx.rollout.weight, unready_since=None)


def raise_weight(ctx: RolloutContext) -> Decision:
    """Set the step's weight, or the part of it that the ready pods can carry."""
    rollout = ctx.rollout
    event = normal(
        EventReason.STEP_STARTED,
        f"Revision {rollout.revision} gets {attainable_weight(ctx)} % of the requests"
        f" (step {rollout.step + 1} of {rollout.steps}).",
    )
    return set_weight(ctx, State.SHIFTING, attainable_weight(ctx), event, unready_since=None)


def shifting(ctx: RolloutContext) -> Decision:
    """Wait until the step's weight is live."""
    rollout = ctx.rollout
    lack = unable_to_raise(ctx)
    if rollout.weight < attainable_weight(ctx):
        return lack or (raise_weight(ctx) if ctx.route_live else wait_for_route(ctx))
    if ctx.raise_unwritten and lack:
        return undo_raise(ctx, State.SHIFTING)
    if ctx.step_weight == 0 and lack:
        return lack
    if not ctx.route_settled:
        return wait_for_route(ctx)
    if rollout.weight < ctx.step_weight:
        return wait_for_pods(ctx, ctx.canary, min_ready(ctx))
    # Nothing is counted at weight 0: the time for tests begins now.
    return enter(
        ctx, State.ANALYSING, step_started_at=live_since(ctx) if rollout.weight else ctx.now
    )


def live_since(ctx: RolloutContext) -> float:
    """Return since when the weight has been live, but not from before the end of a pause.

    Requests at this weight come from then on, while other proxies still follow.
    """
    return max(ctx.rollout.weight_applied_at or ctx.now, ctx.rollout.last_progress_at)


def unable_to_raise(ctx: RolloutContext) -> Decision | None:
    """Wait for the revision that lacks pods for the step's weight; None if neither does."""
    needed = replicas_for(ctx, attainable_weight(ctx))[0] if ctx.replaces_pods else min_ready(ctx)
    if ctx.canary.ready_endpoints < needed:
        return wait_for_pods(ctx, ctx.canary, min_ready(ctx))
    if ctx.shared_service and ctx.rollout.weight == 0 and ctx.facts.others:
        return wait(
            ctx,
            Reason.ROLLING_OUT,
            f"{plural(ctx.facts.others, 'pod')} of other revisions must terminate first: the entry"
            " Service would select them too.",
        )
    return stable_lacks_pods(ctx, attainable_weight(ctx))


def stable_lacks_pods(ctx: RolloutContext, weight: int) -> Decision | None:
    """Wait if the stable revision cannot carry what *weight* leaves to it; None if it can."""
    base, rest = ctx.stable, replicas_for(ctx, weight)[1]
    if ctx.replaces_pods and rest > 1:
        rest -= 1  # the pod that makes room for the canary's next one
    if base.ready_endpoints >= rest:
        return None
    return wait(
        ctx,
        Reason.STABLE_UNHEALTHY,
        f"The stable revision {base.revision} has only {base.ready_endpoints} of the {rest}"
        " ready pods that its requests need.",
        base.message,
    )


def analysing(ctx: RolloutContext) -> Decision:
    """Pass the step if the verdict of this reconcile is Pass and `minSeconds` are over."""
    if lack := stable_lacks_pods(ctx, ctx.rollout.weight):
        return lack
    rollout, step = ctx.rollout, ctx.step
    since = rollout.step_started_at or rollout.state_since
    if step and rollout.weight == 0:
        over = ctx.elapsed(since) >= step.min_seconds
        return pass_step(ctx) if over else wait_for_tests(ctx, step.min_seconds)
    if ctx.verdict is Verdict.PASS and step and ctx.elapsed(since) >= step.min_seconds:
        return pass_step(ctx)
    if inconclusive(ctx):
        return wait_for_user(ctx)
    return wait_for_evidence(ctx)


def pass_step(ctx: RolloutContext) -> Decision:
    """Go on from a step that has passed, or start its pause."""
    if ctx.step and ctx.step.pause:
        return enter(ctx, State.STEP_PAUSED, step_passed_event(ctx))
    return next_step(ctx, step_passed_event(ctx))


def step_passed_event(ctx: RolloutContext) -> Event:
    """Create the Event for a step that has passed, with the figures."""
    rollout = ctx.rollout
    step = f"Revision {rollout.revision} passed step {rollout.step + 1} of {rollout.steps}"
    return normal(EventReason.STEP_PASSED, join_sentences(step, analysis_message(ctx)))


def step_paused(ctx: RolloutContext) -> Decision:
    """Wait for the end of the step's pause, and then for the verdict Pass."""
    if lack := stable_lacks_pods(ctx, ctx.rollout.weight):
        return lack
    rollout, pause = ctx.rollout, ctx.step and ctx.step.pause
    if pause and pause.seconds is None:
        return wait(
            ctx,
            Reason.PAUSED,
            f"Step {rollout.step + 1} of {rollout.steps} passed; revision {rollout.revision} stays"
            f" at {rollout.weight} % until the command `promote`.",
            analysis_message(ctx),
        )
    if pause and ctx.elapsed(rollout.last_progress_at) < (pause.seconds or 0):
        return wait(
            ctx,
            Reason.ROLLING_OUT,
            f"Step {rollout.step + 1} of {rollout.steps} passed; revision {rollout.revision} stays"
            f" at {rollout.weight} % for {pause.seconds} s.",
            analysis_message(ctx),
        )
    if ctx.verdict is Verdict.PASS or rollout.weight == 0:
        return next_step(ctx)
    return wait_for_user(ctx) if inconclusive(ctx) else wait_for_evidence(ctx)


def next_step(ctx: RolloutContext, *events: Event) -> Decision:
    """Go to the next step; after the last one, to full scale."""
    rollout = ctx.rollout
    if rollout.step + 1 >= len(ctx.settings.canary.steps):
        return enter(ctx, State.SCALING_UP, *events)
    return enter(ctx, State.SHIFTING, *events, step=rollout.step + 1)


def scaling_up(ctx: RolloutContext) -> Decision:
    """Wait for full scale, then set the weight to 100 less the control share."""
    rollout = ctx.rollout
    if not at_full_scale(ctx):
        return scale_up(ctx)
    if not ctx.route_live:
        return wait_for_route(ctx)
    weight = bake_weight(ctx)
    message = f"Revision {rollout.revision} gets all requests."
    if weight < FULL_WEIGHT:
        message = (
            f"Revision {rollout.revision} gets {weight} % of the requests;"
            f" {FULL_WEIGHT - weight} % stay on {rollout.base} until the bake ends."
        )
    return set_weight(ctx, State.PROMOTING, weight, normal(EventReason.PROMOTING, message))


def scale_up(ctx: RolloutContext) -> Decision:
    """Wait for full scale. If pods are replaced, the weight follows the ready ones."""
    rollout = ctx.rollout
    if ctx.raise_unwritten and not can_carry(ctx, rollout.weight):
        return undo_raise(ctx, State.SCALING_UP)
    if ctx.replaces_pods and rollout.weight < attainable_weight(ctx) and ctx.route_live:
        lack = stable_lacks_pods(ctx, attainable_weight(ctx))
        return lack or set_weight(ctx, State.SCALING_UP, attainable_weight(ctx))
    return wait_for_pods(ctx, ctx.canary, min_ready(ctx))


def promoting(ctx: RolloutContext) -> Decision:
    """Wait until the weight for the bake is live."""
    if ctx.raise_unwritten and not at_full_scale(ctx):
        recreate = ctx.rollout.strategy is Strategy.RECREATE
        return undo_raise(ctx, State.STARTING if recreate else State.SCALING_UP)
    if not ctx.route_settled:
        return wait_for_route(ctx)
    return start_bake(ctx)


def start_bake(ctx: RolloutContext) -> Decision:
    """Start the bake, whose time runs from when its weight was live."""
    live = live_since(ctx)
    started = ctx.rollout.step_started_at or live
    return enter(ctx, State.BAKING, last_progress_at=live, step_started_at=started)


def promote_commanded(ctx: RolloutContext) -> Decision | None:
    """Go on without further evidence, on command. Ready pods are still awaited."""
    if not ctx.commanded(Verb.PROMOTE):
        return None
    match ctx.rollout.state:
        case State.ANALYSING:
            return replace(next_step(ctx, step_passed_event(ctx)), handled=True)
        case State.STEP_PAUSED:
            return replace(next_step(ctx), handled=True)
        case _:
            return None


def promote_full_commanded(ctx: RolloutContext) -> Decision | None:
    """Skip the remaining steps. Full scale, the route and the bake are still awaited."""
    if not ctx.commanded(Verb.PROMOTE_FULL) or ctx.rollout.state not in SKIPPABLE:
        return None
    return _skip_steps(ctx, "The command `promote-full` skipped the remaining steps.")


def promote_full_force_commanded(ctx: RolloutContext) -> Decision | None:
    """Skip the bake as well and ignore the judge. Full scale and the route are still awaited."""
    if not ctx.commanded(Verb.PROMOTE_FULL_FORCE):
        return None
    message = "The command `promote-full-force` skipped everything that remained, the bake too."
    state = ctx.rollout.state
    if state in SKIPPABLE:
        return _skip_steps(ctx, message, forced=True)
    if state not in FINAL:
        return None
    forced = with_rollout(
        ctx.status, outcome=Outcome.FAST_PROMOTED, message=message, skip_analysis=True
    )
    event = normal(
        EventReason.BAKE_SKIPPED, f"Revision {ctx.rollout.revision} is promoted without a bake."
    )
    decision = FINAL_CHECKS[state](replace(ctx, status=forced))
    return replace(decision, events=(event, *decision.events), handled=True)


FINAL_CHECKS: Mapping[State, Callable[[RolloutContext], Decision]] = {
    State.SCALING_UP: scaling_up,
    State.PROMOTING: promoting,
    State.BAKING: baking,
}
"""The checks of the states that no command skips."""


def _skip_steps(ctx: RolloutContext, message: str, *, forced: bool = False) -> Decision:
    state = ctx.rollout.state
    event = normal(
        EventReason.STEPS_SKIPPED,
        f"Revision {ctx.rollout.revision} skips the remaining steps and gets all requests"
        " at full scale.",
    )
    status = with_rollout(
        ctx.status, outcome=Outcome.FAST_PROMOTED, message=message, skip_analysis=forced
    )
    after = replace(ctx, status=status)
    if state in UNDISCOVERED:
        # Proxies still have to discover its pods, now all of them.
        return replace(enter(after, state, event), handled=True)
    if state in PRE_TRAFFIC:
        decision = enter(after, State.SCALING_UP, event, unready_since=None, **RESET_ANALYSIS)
        return replace(decision, handled=True)
    back = {"weight": ctx.rollout.weight_before} if ctx.raise_unwritten else {}
    return replace(enter(after, State.SCALING_UP, event, unready_since=None, **back), handled=True)
