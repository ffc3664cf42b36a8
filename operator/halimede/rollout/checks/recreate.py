"""The strategy Recreate: the old revision stops, and only then the new one starts.

Where there is no room for two, say no second GPU, the choice is an outage that begins with the
old one's last pod and ends with the new one's first requests. It is kept short: nothing is primed,
nothing but missing pods holds it up, and the way back goes in the same order.
"""

from dataclasses import replace

from halimede.api.reasons import AbortReason, EventReason, Reason
from halimede.api.rollout import Strategy
from halimede.api.status import Outcome, RolloutStatus, State
from halimede.rollout.checks import hold, safety, start
from halimede.rollout.checks.waits import wait_for_pods
from halimede.rollout.context import Decision, RolloutContext, first_decision
from halimede.rollout.decisions import abort, enter, finish, set_weight, wait, with_rollout
from halimede.rollout.events import normal
from halimede.rollout.sizing.replicas import full_scale
from halimede.rollout.steps import ALL_TRAFFIC


def track_readiness(rollout: RolloutStatus, ctx: RolloutContext) -> RolloutStatus:
    """Note since when a revision that was to serve everything has had no ready pod."""
    if rollout.strategy is not Strategy.RECREATE or rollout.state not in ALL_TRAFFIC:
        return rollout
    ready = ctx.facts.workload(rollout.revision).ready_endpoints > 0
    since = None if ready else rollout.unready_since or ctx.now
    if since == rollout.unready_since:
        return rollout
    return rollout.evolve(unready_since=since)


def stopping(ctx: RolloutContext) -> Decision:
    """Wait until the old revision's pods have given back what they held."""
    base, revision = ctx.stable, ctx.rollout.revision
    if base.desired == 0 and base.pods == 0:
        return enter(ctx, State.STARTING)
    return wait(
        ctx,
        Reason.RECREATING,
        f"Revision {base.revision} stops: {base.pods} of its pods are left. Nothing serves until"
        f" {revision} is ready.",
    )


def starting(ctx: RolloutContext) -> Decision:
    """Wait for full scale, then give it all requests at once: nobody else can take them."""
    if not ctx.at_full_scale:
        return _await_pods(ctx)
    event = normal(EventReason.PROMOTING, f"Revision {ctx.rollout.revision} gets all requests.")
    return set_weight(ctx, State.PROMOTING, 100, event)


def abort_draining(ctx: RolloutContext) -> Decision:
    """Wait until the old revision serves again, or something else is asked for."""
    base, target = ctx.stable, ctx.target
    moved_on = target != base.revision and start.failed_record(ctx.status, target) is None
    back = base.ready_endpoints >= full_scale(ctx.facts.replicas) and ctx.route_settled
    if moved_on or back:
        return finish(ctx)
    rollout = ctx.rollout
    return wait(
        ctx,
        Reason.ROLLING_BACK,
        f"{base.ready_endpoints} of {ctx.facts.replicas} pods of revision {base.revision} are"
        f" ready again. {rollout.reason}: {rollout.message}",
        base.message,
    )


def superseded(ctx: RolloutContext) -> Decision | None:
    """A third revision is asked for: it takes the place, without the old one in between."""
    if ctx.target == ctx.rollout.revision:
        return None
    settings, failed = ctx.settings, start.failed_record(ctx.status, ctx.target)
    if settings.strategy is not Strategy.RECREATE or failed or ctx.facts.replicas == 0:
        return safety.superseded(ctx)
    told = f"Revision {ctx.target} is asked for now."
    decided = with_rollout(
        ctx.status,
        outcome=Outcome.SUPERSEDED,
        reason=AbortReason.SUPERSEDED,
        message=told,
        decided_at=ctx.now,
    )
    event = normal(EventReason.ROLLOUT_SUPERSEDED, f"Revision {ctx.rollout.revision}: {told}")
    ended = finish(replace(ctx, status=decided), event)
    begun = start.begin(replace(ctx, status=ended.status))
    return replace(begun, events=(*ended.events, *begun.events))


def past_deadline(ctx: RolloutContext) -> Decision | None:
    """The outage has lasted long enough, for whatever cause: the old revision is to come back."""
    rollout, canary = ctx.rollout, ctx.canary
    deadline = ctx.settings.progress_deadline_seconds
    if rollout.state not in (State.STOPPING, State.STARTING) or _held(ctx):
        return None
    if rollout.state is State.STARTING and ctx.at_full_scale:
        return None
    if refusal := safety.refused(ctx):
        return refusal
    if ctx.elapsed(rollout.last_progress_at) < deadline:
        return None
    if rollout.state is State.STOPPING:
        told = f"After {deadline} s {ctx.stable.pods} pods of {rollout.base} have not ended"
        return abort(ctx, AbortReason.PROGRESS_DEADLINE, told)
    return abort(
        ctx,
        AbortReason.PROGRESS_DEADLINE,
        f"After {deadline} s {canary.ready_endpoints} of {ctx.min_ready} pods are ready"
        f" ({canary.cause or 'no cause is known'})",
        canary.message,
    )


def paused(ctx: RolloutContext) -> Decision | None:
    """Somebody holds it, or the route; but not in the middle: that would prolong the outage."""
    return first_decision(hold.REASONS, ctx) if _held(ctx) else None


def pause_forgotten(ctx: RolloutContext) -> Decision | None:
    """It was paused, and nobody came back."""
    return safety.pause_forgotten(ctx) if _held(ctx) else None


def lost_its_pods(ctx: RolloutContext) -> Decision | None:
    """It serves everything and has no ready pod: nothing is committed until that is over."""
    rollout = ctx.rollout
    if rollout.unready_since is None:
        return None
    if ctx.raise_unwritten:
        # The switch was stored, but a kill came before it was written.
        return set_weight(ctx, State.STARTING, 0, unready_since=None)
    return _await_pods(ctx)


def _await_pods(ctx: RolloutContext) -> Decision:
    decision = wait_for_pods(ctx, ctx.canary, ctx.min_ready)
    if decision.wait is None or decision.wait.reason is not Reason.ROLLING_OUT:
        return decision
    return replace(decision, wait=replace(decision.wait, reason=Reason.RECREATING))


def _held(ctx: RolloutContext) -> bool:
    """Whether it may be held here and is: before the old pods are stopped, or in the bake."""
    state = ctx.rollout.state
    before = state is State.STOPPING and ctx.stable.desired > 0
    return ctx.clocks_stopped and (before or state is State.BAKING)
