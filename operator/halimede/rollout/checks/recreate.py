"""The strategy Recreate: the old revision stops before the new one starts.

It is for clusters without room for two revisions, for example without a second GPU. The outage
lasts from the old revision's last pod to the new one's first requests. It is kept short: there is
no priming, only missing pods delay it, and an abort goes in the same order.
"""

from dataclasses import replace

from halimede.api.reasons import AbortReason, EventReason, Reason
from halimede.api.rollout import Strategy
from halimede.api.status import Outcome, RolloutStatus, State
from halimede.judge.messages import plural
from halimede.rollout.checks import hold, safety, start
from halimede.rollout.checks.waits import wait_for_pods
from halimede.rollout.context import Decision, RolloutContext, first_decision
from halimede.rollout.decisions import abort, enter, finish, set_weight, wait, with_rollout
from halimede.rollout.events import normal
from halimede.rollout.sizing.pods import at_full_scale, min_ready
from halimede.rollout.sizing.replicas import full_scale
from halimede.rollout.states import ALL_TRAFFIC, UNROUTED


def track_readiness(rollout: RolloutStatus, ctx: RolloutContext) -> RolloutStatus:
    """Record since when a revision with all traffic has had no ready pod."""
    if rollout.strategy is not Strategy.RECREATE or rollout.state not in ALL_TRAFFIC:
        return rollout
    ready = ctx.facts.workload(rollout.revision).ready_endpoints > 0
    since = None if ready else rollout.unready_since or ctx.now
    if since == rollout.unready_since:
        return rollout
    return rollout.evolve(unready_since=since)


def stopping(ctx: RolloutContext) -> Decision:
    """Wait until the old revision's pods have released their resources."""
    base, revision = ctx.stable, ctx.rollout.revision
    if base.desired == 0 and base.pods == 0:
        return enter(ctx, State.STARTING)
    return wait(
        ctx,
        Reason.RECREATING,
        f"Stopping revision {base.revision}: {base.pods} of its pods are left. No requests are"
        f" served until {revision} is ready.",
    )


def starting(ctx: RolloutContext) -> Decision:
    """Wait for full scale, then set all traffic at once, as no other revision can serve it."""
    if not at_full_scale(ctx):
        return _wait_for_pods(ctx)
    event = normal(EventReason.PROMOTING, f"Revision {ctx.rollout.revision} gets all requests.")
    return set_weight(ctx, State.PROMOTING, 100, event)


def abort_draining(ctx: RolloutContext) -> Decision:
    """Wait until the old revision serves again, or another revision is asked for."""
    base, target = ctx.stable, ctx.target
    retargeted = target != base.revision and start.may_begin(ctx)
    back = base.ready_endpoints >= full_scale(ctx.facts.replicas) and ctx.route_settled
    if retargeted or back:
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
    """Replace the revision with a third one, without the old one in between."""
    if ctx.target == ctx.rollout.revision:
        return safety.superseded(ctx)
    recreates = ctx.settings.strategy is Strategy.RECREATE and ctx.facts.replicas > 0
    if not (recreates and start.may_begin(ctx)):
        return safety.superseded(ctx)
    message = f"Revision {ctx.target} is requested instead."
    status = with_rollout(
        ctx.status,
        outcome=Outcome.SUPERSEDED,
        reason=AbortReason.SUPERSEDED,
        message=message,
        decided_at=ctx.now,
    )
    event = normal(EventReason.ROLLOUT_SUPERSEDED, f"Revision {ctx.rollout.revision}: {message}")
    end = finish(replace(ctx, status=status), event)
    decision = start.begin(replace(ctx, status=end.status))
    return replace(decision, events=(*end.events, *decision.events))


def past_deadline(ctx: RolloutContext) -> Decision | None:
    """Abort if the outage has lasted for `progressDeadlineSeconds`, whatever the cause."""
    rollout, canary = ctx.rollout, ctx.canary
    deadline = ctx.settings.progress_deadline_seconds
    if rollout.state not in UNROUTED or _on_hold(ctx):
        return None
    if rollout.state is State.STARTING and at_full_scale(ctx):
        return None
    if rejection := safety.rejected(ctx):
        return rejection
    if ctx.elapsed(rollout.last_progress_at) < deadline:
        return None
    if rollout.state is State.STOPPING:
        pods = plural(ctx.stable.pods, "pod")
        message = f"Revision {rollout.base} still has {pods} after {deadline} s"
        return abort(ctx, AbortReason.PROGRESS_DEADLINE, message)
    return abort(
        ctx,
        AbortReason.PROGRESS_DEADLINE,
        f"Only {canary.ready_endpoints} of {min_ready(ctx)} pods are ready after {deadline} s"
        f" ({canary.cause or 'unknown cause'})",
        canary.message,
    )


def paused(ctx: RolloutContext) -> Decision | None:
    """Hold for a pause or the route, but not during the outage, which that would prolong."""
    return first_decision(hold.REASONS, ctx) if _on_hold(ctx) else None


def pause_forgotten(ctx: RolloutContext) -> Decision | None:
    """Abort after a pause that timed out."""
    return safety.pause_forgotten(ctx) if _on_hold(ctx) else None


def lost_its_pods(ctx: RolloutContext) -> Decision | None:
    """Do not commit while the revision has all traffic and no ready pod."""
    rollout = ctx.rollout
    if rollout.unready_since is None:
        return None
    if ctx.raise_unwritten:
        # The switch was stored, but the operator was killed before it wrote the route.
        return set_weight(ctx, State.STARTING, 0, unready_since=None)
    return _wait_for_pods(ctx)


def _wait_for_pods(ctx: RolloutContext) -> Decision:
    decision = wait_for_pods(ctx, ctx.canary, min_ready(ctx))
    if decision.wait is None or decision.wait.reason is not Reason.ROLLING_OUT:
        return decision
    return replace(decision, wait=replace(decision.wait, reason=Reason.RECREATING))


def _on_hold(ctx: RolloutContext) -> bool:
    """Whether the rollout is held where it may be: before the old pods stop, or in the bake."""
    state = ctx.rollout.state
    before = state is State.STOPPING and ctx.stable.desired > 0
    return ctx.clocks_stopped and (before or state is State.BAKING)
