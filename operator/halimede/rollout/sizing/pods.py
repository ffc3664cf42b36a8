"""How many pods a rollout needs now, and which weight the ready ones can carry."""

from halimede.rollout.context import RolloutContext
from halimede.rollout.sizing.replicas import (
    FULL_WEIGHT,
    full_scale,
    replicas_for_step,
    replicas_for_weight,
    split_replicas,
)
from halimede.rollout.states import SIZED_FOR_STEP, STABLE_MAY_SHRINK, UNDISCOVERED
from halimede.rollout.steps import control_percent, mirror_due


def replicas_for(ctx: RolloutContext, weight: int) -> tuple[int, int]:
    """Return how many pods the canary and the stable revision need at *weight*."""
    replicas = ctx.facts.replicas
    if ctx.weight_by_replicas:
        return split_replicas(weight, replicas)
    return replicas_for_weight(weight, replicas), replicas_for_weight(
        FULL_WEIGHT - weight, replicas
    )


def can_carry(ctx: RolloutContext, weight: int) -> bool:
    """Whether the canary's ready pods suffice for *weight*."""
    ready = ctx.canary.ready_endpoints
    return at_full_scale(ctx) or (weight < FULL_WEIGHT and ready >= replicas_for(ctx, weight)[0])


def at_full_scale(ctx: RolloutContext) -> bool:
    """Whether the canary's ready pods can carry all traffic."""
    return ctx.canary.ready_endpoints >= _full_scale_min(ctx)


def min_ready(ctx: RolloutContext) -> int:
    """Return how many ready pods the canary needs before the rollout can go on."""
    if ctx.replaces_pods and ctx.rollout.state in UNDISCOVERED:
        return 1
    if ctx.rollout.state in SIZED_FOR_STEP and ctx.step:
        target = target_replicas(ctx)
        return min(target, full_scale(max(target, ctx.facts.replicas)))
    return _full_scale_min(ctx)


def _full_scale_min(ctx: RolloutContext) -> int:
    """Return the ready pods that all traffic needs; if pods are replaced, one may be missing."""
    replicas = ctx.facts.replicas
    return (
        min(full_scale(replicas), max(1, replicas - 1))
        if ctx.replaces_pods
        else full_scale(replicas)
    )


def canary_replicas(ctx: RolloutContext) -> int:
    """Return how many pods the canary's Deployment asks for now, ready or not."""
    if not ctx.replaces_pods:
        return target_replicas(ctx)
    # Only pods that the stable revision was observed to give up make room.
    room = ctx.facts.replicas + 1 - ctx.stable.desired
    return max(1, min(target_replicas(ctx), ctx.rollout.replaced_replicas + 1, room))


def target_replicas(ctx: RolloutContext) -> int:
    """Return how many pods the canary should have in the end, for its step or all traffic."""
    if ctx.rollout.state not in SIZED_FOR_STEP or not ctx.step:
        return ctx.facts.replicas
    if ctx.replaces_pods:
        # Pods beyond what the weight needs would be missing on the stable side.
        return max(1, replicas_for_weight(ctx.step_weight, ctx.facts.replicas))
    if ctx.weight_by_replicas:
        return max(1, replicas_for(ctx, ctx.step_weight)[0])
    mirror = mirror_due(ctx.rollout, ctx.settings)
    load = max(ctx.step_weight, mirror.percent if mirror else 0)
    return replicas_for_step(ctx.step.scale, load, ctx.facts.replicas)


def stable_replicas(ctx: RolloutContext) -> int:
    """Return how many pods the stable revision should have; usually all.

    If the numbers of pods make the weight, it scales down only as canary pods are ready and
    the route has settled, and back up if the canary loses pods.
    """
    replicas, weight = ctx.facts.replicas, ctx.rollout.weight
    may_shrink = ctx.rollout.state in STABLE_MAY_SHRINK and ctx.rollout.failover_since is None
    if not ctx.weight_by_replicas or not may_shrink or weight == 0:
        return replicas
    kept = min(ctx.stable.desired, replicas)
    if weight == FULL_WEIGHT:
        return kept
    least = max(replicas_for(ctx, weight)[1], replicas - ctx.canary.ready_endpoints)
    return min(replicas, least if ctx.route_settled else max(least, kept))


def attainable_weight(ctx: RolloutContext) -> int:
    """Return the weight to set next; if pods are replaced, no more than the ready pods carry."""
    stepwise = ctx.rollout.state in SIZED_FOR_STEP and ctx.step is not None
    goal = ctx.step_weight if stepwise else FULL_WEIGHT
    if not ctx.replaces_pods:
        return goal
    share = FULL_WEIGHT * ctx.canary.ready_endpoints // max(1, ctx.facts.replicas)
    return max(ctx.rollout.weight, min(goal, share))


def actual_weight(ctx: RolloutContext) -> int | None:
    """Return the canary's percentage by its ready pods; None if a router applies the weight."""
    canary = ctx.canary.ready_endpoints
    total = canary + ctx.stable.ready_endpoints
    if not ctx.shared_service or ctx.rollout.weight in (0, FULL_WEIGHT) or not total:
        return None
    return round(FULL_WEIGHT * canary / total)


def bake_weight(ctx: RolloutContext) -> int:
    """Return the weight for the bake: 100 less the control share, if stable's ready pods carry it.

    It is never less than the current weight.
    """
    weight = max(ctx.rollout.weight, FULL_WEIGHT - control_share(ctx))
    enough = ctx.stable.ready_endpoints >= replicas_for(ctx, weight)[1]
    return weight if enough else FULL_WEIGHT


def control_share(ctx: RolloutContext) -> int:
    """Return the percentage of requests that the stable revision is to keep during the bake."""
    return control_percent(ctx.rollout, ctx.settings, by_pods=ctx.goal.no_router)
