"""What a rollout waits for, as text with figures."""

from halimede.api.reasons import NotReadyReason, Reason, Verdict
from halimede.rollout.checks.cluster_capacity import capacity_timed_out, remedy
from halimede.rollout.checks.pod_loss import describe_weight
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import wait
from halimede.rollout.facts import CAPACITY, NEEDS_HELP, Workload
from halimede.rollout.remaining import time_left
from halimede.rollout.traffic_advice import advice_for_step

ROUTE_WAIT_SECONDS = 30.0
"""How long the route may stay unaccepted before the conditions report it."""


def wait_for_pods(ctx: RolloutContext, workload: Workload, needed: int) -> Decision:
    """Wait until *needed* pods are ready, and report why they are not."""
    reason: Reason | NotReadyReason = Reason.ROLLING_OUT
    if workload.cause and workload.cause in CAPACITY | NEEDS_HELP:
        reason = workload.cause
    count = (
        f"{workload.ready_endpoints} of {needed} pods of revision {workload.revision} are ready"
    )
    why = f" ({workload.cause})" if workload.cause else ""
    if capacity_timed_out(ctx):
        return wait(ctx, Reason.CAPACITY_HOLD, f"{count}{why}", workload.message, remedy(ctx))
    return wait(ctx, reason, f"{count}{why}", workload.message)


def wait_for_route(ctx: RolloutContext, since: float | None = None) -> Decision:
    """Wait for the route to be accepted and for proxies to follow it.

    *since* is when the weight was set, if `last_progress_at` is older.
    """
    route, rollout = ctx.facts.route, ctx.rollout
    unanswered = rollout.weight_applied_at is None
    set_at = rollout.last_progress_at if since is None else since
    if unanswered and ctx.elapsed(set_at) >= ROUTE_WAIT_SECONDS:
        message = route.message or "The route is not accepted yet."
        return wait(ctx, Reason.ROUTE_NOT_ACCEPTED, message)
    return wait(
        ctx,
        Reason.ROLLING_OUT,
        f"Waiting for the route to give revision {rollout.revision} {rollout.weight} %"
        f" ({rollout.state}).",
    )


def wait_for_tests(ctx: RolloutContext, seconds: int) -> Decision:
    """Wait at a step of weight 0, so that the revision can be tested by hand."""
    rollout = ctx.rollout
    return wait(
        ctx,
        Reason.ROLLING_OUT,
        f"Revision {rollout.revision} is ready for tests and gets no users' requests for"
        f" {seconds} s (step {rollout.step + 1} of {rollout.steps}).",
    )


def wait_for_user(ctx: RolloutContext) -> Decision:
    """Wait for a user to decide, or for more evidence."""
    return wait(
        ctx,
        Reason.PAUSED,
        f"Step {ctx.rollout.step + 1} is inconclusive after its maxSeconds; the rollout"
        " continues with more evidence or with the command `promote`.",
        time_needed(ctx),
        analysis_message(ctx),
    )


def wait_for_evidence(ctx: RolloutContext) -> Decision:
    """Wait for the judge, and report if it has no evidence."""
    rollout = ctx.rollout
    if without_evidence(ctx):
        stays = f"Revision {rollout.revision} stays at {describe_weight(rollout)}"
        return wait(ctx, Reason.METRICS_HOLD, stays, analysis_message(ctx))
    step = f"step {rollout.step + 1} of {rollout.steps}"
    message = f"Revision {rollout.revision} gets {describe_weight(rollout)} ({step})"
    return wait(
        ctx,
        Reason.ROLLING_OUT,
        message,
        time_needed(ctx),
        analysis_message(ctx),
    )


def time_needed(ctx: RolloutContext) -> str:
    """Describe the first step with too few requests, or else how long this one still takes."""
    rollout, settings = ctx.rollout, ctx.settings
    return advice_for_step(rollout, settings) or time_left(rollout, settings)


def without_evidence(ctx: RolloutContext) -> bool:
    """Whether the last poll saw no request or could not read the metrics."""
    evidence = ctx.rollout.evidence
    return evidence is not None and evidence.verdict in (Verdict.NO_DATA, Verdict.METRICS_DOWN)


def analysis_message(ctx: RolloutContext) -> str:
    """Return the message of the last verdict, with its figures."""
    evidence = ctx.rollout.evidence
    return (evidence and evidence.message) or ""
