"""What a full cluster means for a rollout: a wait, as it says nothing about the model."""

from halimede.api.reasons import Reason
from halimede.api.rollout import CapacityMode, Strategy
from halimede.api.status import RolloutStatus
from halimede.rollout.context import Decision, RolloutContext, WaitReason
from halimede.rollout.decisions import with_rollout
from halimede.rollout.facts import CAPACITY
from halimede.rollout.sizing.pods import (
    attainable_weight,
    canary_replicas,
    min_ready,
    target_replicas,
)
from halimede.rollout.states import AWAITING_PODS


def track_capacity(rollout: RolloutStatus, ctx: RolloutContext) -> RolloutStatus:
    """Record since when there is no room; once there is, the progress deadline restarts."""
    if rollout.strategy is Strategy.RECREATE:
        return rollout  # nothing serves meanwhile, so its deadline keeps running
    replaced = min(rollout.replaced_replicas, target_replicas(ctx)) if ctx.replaces_pods else 0
    if replaced != rollout.replaced_replicas:
        rollout = rollout.evolve(replaced_replicas=replaced)
    lacking = (
        rollout.state in AWAITING_PODS
        and ctx.canary.cause in CAPACITY
        and ctx.canary.ready_endpoints < min_ready(ctx)
    )
    if lacking is (rollout.capacity_since is not None):
        return rollout
    if lacking:
        return rollout.evolve(capacity_since=ctx.now)
    return rollout.evolve(capacity_since=None, last_progress_at=ctx.now)


def capacity_timed_out(ctx: RolloutContext) -> bool:
    """Whether there has been no room for `capacityTimeoutSeconds`, so that a user should know."""
    settings, since = ctx.settings, ctx.rollout.capacity_since
    if since is None or settings.capacity_mode is CapacityMode.WAIT:
        return False
    return ctx.elapsed(since) >= settings.capacity_timeout_seconds


def remedy(ctx: RolloutContext) -> str:
    """Describe how long there has been no room, and what would help."""
    long = f"The cluster has had no room for {ctx.settings.capacity_timeout_seconds} s"
    if ctx.replaces_pods:
        return f"{long}, and no stable pod can be replaced: make room for one more pod"
    return f"{long}: make room, or set spec.rollout.capacityMode to Replace"


def yield_stable_pod(ctx: RolloutContext) -> Decision | None:
    """Replace one pod of the stable revision with one of the new revision.

    At most one of the pods that should be ready may be missing, so the weight first follows the
    pods that are ready already. The stable revision's last pod stays.
    """
    rollout, canary, replicas = ctx.rollout, ctx.canary, ctx.facts.replicas
    if not ctx.replaces_pods or rollout.state not in AWAITING_PODS:
        return None
    stuck = canary.cause in CAPACITY
    if canary.ready_endpoints >= target_replicas(ctx) or rollout.weight < attainable_weight(ctx):
        return None
    if not stuck and canary.ready_endpoints < canary_replicas(ctx):
        return None
    left = min(ctx.stable.ready_endpoints, replicas - rollout.replaced_replicas) - 1
    if left < max(1, replicas - canary.ready_endpoints - 1):
        return None
    message = f"Replacing one pod of {rollout.base} with one of {rollout.revision}."
    status = with_rollout(ctx.status, replaced_replicas=rollout.replaced_replicas + 1)
    return Decision(status, wait=WaitReason(Reason.ROLLING_OUT, message))
