"""The states in which traffic goes back, or an old revision leaves: nothing may hold them up."""

from halimede.api.reasons import Reason
from halimede.api.status import State
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import abort_weight, finish, set_weight, wait

SUPERSEDED_DRAIN_SECONDS = 30.0
"""How long the next revision waits at most for one that nobody asks for any more."""


def aborting(ctx: RolloutContext) -> Decision:
    """Move all traffic back, as fast as the stable revision can carry it."""
    rollout, base = ctx.rollout, ctx.stable
    weight = abort_weight(ctx)
    if weight < rollout.weight:
        return set_weight(ctx, State.ABORTING, weight)
    if rollout.weight > 0:
        return wait(
            ctx,
            Reason.STABLE_UNHEALTHY,
            f"The stable revision {base.revision} has only {base.ready_endpoints} of"
            f" {ctx.facts.replicas} ready pods, so {rollout.weight} % stay where they are.",
            base.message,
        )
    if not ctx.route_settled:
        return wait(ctx, Reason.ROLLING_BACK, _back(ctx))
    return set_weight(ctx, State.ABORT_DRAINING, 0)


def abort_draining(ctx: RolloutContext) -> Decision:
    """Let the stopped revision, out of the route by now, end its last requests.

    It stays for somebody to look at, but not in the way of what is asked for next. What it has
    still to answer when it goes has the time of `spec.drain`.
    """
    seconds: float = ctx.settings.abort_scale_down_delay_seconds
    if ctx.target != ctx.rollout.revision:
        seconds = min(seconds, SUPERSEDED_DRAIN_SECONDS)
    drained = ctx.elapsed(ctx.rollout.state_since) >= seconds
    if not (drained and ctx.route_settled):
        return wait(ctx, Reason.ROLLING_BACK, _back(ctx))
    return finish(ctx)


def draining(ctx: RolloutContext) -> Decision:
    """Wait until the old revision is out of the route; it stays warm for a while after."""
    if not ctx.route_settled:
        return wait(
            ctx,
            Reason.ROLLING_OUT,
            f"Revision {ctx.rollout.revision} is stable; {ctx.rollout.base} leaves the route.",
        )
    return finish(ctx)


def _back(ctx: RolloutContext) -> str:
    rollout = ctx.rollout
    return f"All requests go back to revision {rollout.base}. {rollout.reason}: {rollout.message}"
