"""The bake: the new revision has most of the traffic and is analysed before the commit."""

from halimede.api.reasons import EventReason, Reason, Verdict
from halimede.api.status import RolloutStatus
from halimede.judge.messages import odds
from halimede.judge.thresholds import BAKE_HOLD
from halimede.rollout.analysis_schedule import is_doubtful, required_polls
from halimede.rollout.checks.waits import (
    analysis_message,
    wait_for_pods,
    wait_for_route,
    without_evidence,
)
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import drop_control, promote, wait
from halimede.rollout.events import Event, normal
from halimede.rollout.sizing.pods import at_full_scale, control_share, min_ready
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.steps import bake_seconds


def baking(ctx: RolloutContext) -> Decision:
    """Analyse the revision with most of the traffic, then commit.

    Only an abort ends the bake early, and missing data does not extend it. The bake continues
    after its time if the judge has not polled often enough, or while the odds against the revision
    are `BAKE_HOLD` or more.
    """
    rollout, seconds = ctx.rollout, bake_seconds(ctx.rollout.strategy, ctx.settings)
    unseen = seconds > 0 and without_evidence(ctx)
    over = _is_over(ctx, seconds)
    if rollout.skip_analysis or (over and not is_doubtful(rollout)):
        return _finish(ctx, unseen=unseen)
    if rollout.weight < FULL_WEIGHT and control_share(ctx) == 0 and at_full_scale(ctx):
        return drop_control(ctx, _control_ended_event(rollout))
    if over:
        return _wait_for_odds(ctx)
    return wait(
        ctx,
        Reason.ROLLING_OUT,
        f"{_describe_split(rollout)}; the bake takes at least {seconds} s.",
        analysis_message(ctx),
        "The bake still ends on time." if unseen and not is_doubtful(rollout) else "",
    )


def _finish(ctx: RolloutContext, *, unseen: bool) -> Decision:
    """Shift the control share to the new revision, wait until that is live, and then commit.

    Proxies lose requests if a Service leaves the route while it has a share.
    """
    rollout = ctx.rollout
    if rollout.weight < FULL_WEIGHT and not at_full_scale(ctx):
        return wait_for_pods(ctx, ctx.canary, min_ready(ctx))
    if rollout.weight < FULL_WEIGHT:
        return drop_control(ctx)
    if rollout.control_dropped_at is not None and not ctx.route_settled:
        return wait_for_route(ctx, since=rollout.control_dropped_at)
    blind = unseen and not rollout.skip_analysis
    return promote(ctx, "The bake ended without a verdict." if blind else "")


def _is_over(ctx: RolloutContext, seconds: int) -> bool:
    """Whether the bake's time is over and the judge, if it could, has polled often enough."""
    rollout, evidence = ctx.rollout, ctx.rollout.evidence
    polled = (
        evidence is None
        or evidence.verdict == Verdict.METRICS_DOWN
        or evidence.bake_polls >= required_polls(seconds, ctx.settings.analysis)
    )
    return polled and ctx.elapsed(rollout.last_progress_at) >= seconds


def _wait_for_odds(ctx: RolloutContext) -> Decision:
    """Wait until the odds against the revision fall under `BAKE_HOLD` or abort it."""
    return wait(
        ctx,
        Reason.METRICS_HOLD if without_evidence(ctx) else Reason.ROLLING_OUT,
        f"{_describe_split(ctx.rollout)}; the bake does not end while the odds against it are"
        f" {odds(BAKE_HOLD)} or more.",
        analysis_message(ctx),
        "To end it now, use the command `abort`, or `promote-full-force` to promote it anyway.",
    )


def _describe_split(rollout: RolloutStatus) -> str:
    if rollout.weight == FULL_WEIGHT:
        return f"Revision {rollout.revision} gets all requests"
    return (
        f"Revision {rollout.revision} gets {rollout.weight} % of the requests and"
        f" {rollout.base} the others, for comparison"
    )


def _control_ended_event(rollout: RolloutStatus) -> Event:
    return normal(
        EventReason.CONTROL_DROPPED,
        f"Revision {rollout.revision} gets all requests: the spec no longer keeps requests on"
        f" {rollout.base} during the bake.",
    )
