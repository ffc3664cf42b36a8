"""The states in which traffic goes back or an old revision is drained: nothing may delay them."""

from halimede.api.reasons import Reason
from halimede.api.status import State
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import abort_weight, finish, set_weight, wait

SUPERSEDED_DRAIN_SECONDS = 30.0
"""How long at most the next revision waits for one that is no longer asked for."""


def aborting(ctx: RolloutContext) -> Decision:
    """Move all traffic back, as fast as the stable revision's ready pods can carry it."""
    rollout, base = ctx.rollout, ctx.stable
    weight = abort_weight(ctx)
    if weight < rollout.weight:
        return set_weight(ctx, State.ABORTING, weight)
    if rollout.weight > 0:
        return wait(
            ctx,
            Reason.STABLE_UNHEALTHY,
            f"The stable revision {base.revision} has only {base.ready_endpoints} of"
            f" {ctx.facts.replicas} ready pods, so {rollout.revision} keeps {rollout.weight} %"
            " of the requests for now.",
            base.message,
        )
    if not ctx.route_settled:
        return wait(ctx, Reason.ROLLING_BACK, _going_back_message(ctx))
    return set_weight(ctx, State.ABORT_DRAINING, 0)


def abort_draining(ctx: RolloutContext) -> Decision:
    """Keep the aborted revision, which is out of the route, for `abortScaleDownDelaySeconds`.

    It can be inspected meanwhile; 30 s are enough if another revision is waiting. Requests that
    are in flight when it is deleted have the time of `spec.drain`.
    """
    seconds: float = ctx.settings.abort_scale_down_delay_seconds
    if ctx.target != ctx.rollout.revision:
        seconds = min(seconds, SUPERSEDED_DRAIN_SECONDS)
    drained = ctx.elapsed(ctx.rollout.state_since) >= seconds
    if not (drained and ctx.route_settled):
        return wait(ctx, Reason.ROLLING_BACK, _going_back_message(ctx))
    return finish(ctx)


def draining(ctx: RolloutContext) -> Decision:
    """Wait until the old revision is out of the route; it stays warm for a while afterwards."""
    if not ctx.route_settled:
        return wait(
            ctx,
            Reason.ROLLING_OUT,
            f"Revision {ctx.rollout.revision} is stable; {ctx.rollout.base} is being"
            " removed from the route.",
        )
    return finish(ctx)


def _going_back_message(ctx: RolloutContext) -> str:
    rollout = ctx.rollout
    return (
        f"All requests go back from revision {rollout.revision} to {rollout.base}."
        f" {rollout.reason}: {rollout.message}"
    )
