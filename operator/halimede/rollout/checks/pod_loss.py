"""Checks that adapt the weights to the ready pods that either revision has left."""

from halimede.api.reasons import EventReason
from halimede.api.rollout import OnStableDown, Strategy
from halimede.api.status import RolloutStatus, State
from halimede.judge.messages import plural
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import drop_control, set_weight
from halimede.rollout.events import warning
from halimede.rollout.sizing.pods import at_full_scale, can_carry, replicas_for
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.states import ALL_TRAFFIC, STEPPING
from halimede.rollout.steps import is_stepwise


def control_lost(ctx: RolloutContext) -> Decision | None:
    """Drop the control share if the stable revision lacks ready pods for it.

    If it has no ready pod, the share is dropped however many pods the new revision has.
    """
    rollout, ready = ctx.rollout, ctx.stable.ready_endpoints
    if (
        rollout.state not in ALL_TRAFFIC
        or rollout.weight == FULL_WEIGHT
        or ctx.facts.replicas == 0
    ):
        return None
    needed = replicas_for(ctx, rollout.weight)[1]
    if ready >= needed or ctx.canary.ready_endpoints == 0:
        return None
    if not at_full_scale(ctx) and (ready > 0 or ctx.raise_unwritten):
        return None
    event = warning(
        EventReason.CONTROL_DROPPED,
        f"Revision {rollout.base} has only {ready} of the {needed} ready pods that its"
        f" {FULL_WEIGHT - rollout.weight} % of the requests need; {rollout.revision} gets all"
        " requests.",
    )
    return drop_control(ctx, event)


def stable_is_down(ctx: RolloutContext) -> Decision | None:
    """Give the new revision all requests if no stable pod is ready and `onStableDown` says so."""
    rollout = ctx.rollout
    if ctx.settings.on_stable_down is not OnStableDown.SHIFT or ctx.facts.replicas == 0:
        return None
    if ctx.stable.ready_endpoints > 0 or ctx.canary.ready_endpoints == 0:
        return None
    if rollout.state is State.STARTING or rollout.weight == FULL_WEIGHT:
        return None
    state = rollout.state
    if state is State.PRIMING and not is_stepwise(rollout):
        state = State.SCALING_UP
    elif state is State.PRIMING or state in STEPPING:
        state = State.SHIFTING
    event = warning(
        EventReason.STABLE_COVERED,
        f"Revision {rollout.base} has no ready pod; {rollout.revision} gets all requests until"
        f" {rollout.base} is ready again.",
    )
    return set_weight(ctx, state, FULL_WEIGHT, event, failover_since=ctx.now, unready_since=None)


def stable_is_back(ctx: RolloutContext) -> Decision | None:
    """Move the requests back to the stable revision, as far as its ready pods can carry them."""
    rollout = ctx.rollout
    if rollout.failover_since is None or ctx.stable.ready_endpoints == 0:
        return None
    if rollout.state in STEPPING and ctx.step is not None:
        state, due = State.SHIFTING, ctx.step.weight
    elif rollout.state is State.AWAITING_PROMOTION:
        state, due = rollout.state, 0
    else:
        return None
    weight = max(due, stable_overflow(ctx))
    if weight >= rollout.weight:
        return None
    since = rollout.failover_since if weight > due else None
    return set_weight(ctx, state, weight, failover_since=since)


def reduce_to_ready_pods(ctx: RolloutContext) -> Decision | None:
    """Lower the weight to what the canary's ready pods can carry, until the others are back."""
    rollout, ready = ctx.rollout, ctx.canary.ready_endpoints
    if rollout.strategy is not Strategy.CANARY or rollout.weight == 0 or ctx.raise_unwritten:
        return None
    if ready == 0 or can_carry(ctx, rollout.weight):
        return None
    if ctx.weight_by_replicas and rollout.weight < FULL_WEIGHT:
        return None  # requests follow the pods, so its actual weight has fallen already
    weight = max(_attainable_step_weight(ctx), stable_overflow(ctx))
    if weight >= rollout.weight:
        return None
    event = warning(
        EventReason.TRAFFIC_REDUCED,
        f"Revision {rollout.revision} has only {plural(ready, 'ready pod')}, too few for"
        f" {rollout.weight} %; its weight is lowered to {weight} %.",
    )
    state = State.SHIFTING if rollout.state in STEPPING else State.SCALING_UP
    return set_weight(ctx, state, weight, event)


def describe_weight(rollout: RolloutStatus) -> str:
    """Describe the weight, and the actual weight by pods if it differs."""
    share = f"{rollout.weight} %"
    if rollout.actual_weight in (None, rollout.weight):
        return share
    return f"{rollout.actual_weight} % (by pods; desired: {share})"


def stable_overflow(ctx: RolloutContext) -> int:
    """Return the percentage of requests that the stable revision's ready pods could not carry."""
    return max(
        0, FULL_WEIGHT - FULL_WEIGHT * ctx.stable.ready_endpoints // max(1, ctx.facts.replicas)
    )


def _attainable_step_weight(ctx: RolloutContext) -> int:
    """Return the weight that the ready pods can carry, rounded down to a step if there is one."""
    share = FULL_WEIGHT * ctx.canary.ready_endpoints // ctx.facts.replicas
    if ctx.replaces_pods:
        return share
    steps = (step.weight for step in ctx.settings.canary.steps if 0 < step.weight <= share)
    return max(steps, default=share)
