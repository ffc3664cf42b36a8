"""Checks that take traffic away; they run before any check that could raise it.

Each one runs in every state that it names, paused or not; but while a user pauses the rollout,
only the pause itself has a deadline.
"""

from dataclasses import replace

from halimede.api.analysis import OnTimeout
from halimede.api.reasons import AbortReason, EventReason, NotReadyReason, Verdict
from halimede.api.status import Outcome, State
from halimede.rollout.checks.pod_loss import (
    control_lost,
    reduce_to_ready_pods,
    stable_is_back,
    stable_is_down,
)
from halimede.rollout.command import Verb
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import abort, set_weight, stop
from halimede.rollout.events import warning
from halimede.rollout.facts import CAPACITY
from halimede.rollout.pauses import timeout_at
from halimede.rollout.revision_history import rollback_is_abort
from halimede.rollout.sizing.pods import min_ready
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.sizing.traffic import header_routed, mirror_percent
from halimede.rollout.states import ALL_TRAFFIC, AWAITING_PODS, AWAITING_ROUTE, PRE_TRAFFIC
from halimede.rollout.steps import analysis_deadline, is_stepwise

UNREADY_GRACE_SECONDS = 60.0
"""How long a revision that had traffic may have no ready pod before it is aborted."""
FAIL_FAST_RESTARTS = 3
"""Restarts after which a revision that was never ready is aborted, as it never will be."""
REJECTED_GRACE_SECONDS = 30.0
"""How long the API server may reject a new revision's objects: an admission policy of the same
change may take effect a moment later, or be corrected."""
ROUTE_DEADLINE_SECONDS = 600.0
"""How long the route may stay unaccepted before the rollout is aborted."""


def aborted_by_command(ctx: RolloutContext) -> Decision | None:
    """Abort on command; `rollback` during a rollout can mean the same."""
    if ctx.commanded(Verb.ABORT):
        return replace(
            abort(ctx, AbortReason.ABORT_COMMANDED, "The command `abort` was given."), handled=True
        )
    if ctx.command is None or not rollback_is_abort(ctx, ctx.command):
        return None
    message = "The command `rollback` aborts the rollout that is under way"
    return replace(abort(ctx, AbortReason.ROLLBACK_COMMANDED, message), handled=True)


def pause_forgotten(ctx: RolloutContext) -> Decision | None:
    """Abort after a pause that timed out, unless the model was edited since.

    To go on instead would send requests to a revision that a user had doubts about.
    """
    moment = timeout_at(ctx.rollout, ctx.settings)
    if moment is None or ctx.now < moment:
        return None
    if ctx.target != ctx.rollout.revision:
        return None
    seconds = ctx.settings.pause_timeout_seconds
    return abort(ctx, AbortReason.PAUSE_TIMEOUT, f"It was paused for {seconds} s and not resumed.")


def aborted_by_evidence(ctx: RolloutContext) -> Decision | None:
    """Abort on the verdict Abort, unless a command has skipped the analysis."""
    if ctx.verdict is not Verdict.ABORT or ctx.rollout.skip_analysis:
        return None
    evidence = ctx.rollout.evidence
    return abort(
        ctx, AbortReason.ANALYSIS_FAILED, (evidence and evidence.message) or "The analysis failed."
    )


def reverted(ctx: RolloutContext) -> Decision | None:
    """Stop if the stable revision is asked for again."""
    if ctx.target != ctx.rollout.base:
        return None
    return stop(
        ctx,
        Outcome.REVERTED,
        AbortReason.REVERTED,
        f"The spec asks for the stable revision {ctx.rollout.base} again.",
    )


def superseded(ctx: RolloutContext) -> Decision | None:
    """Stop if a third revision is asked for; it is compared with the stable one afterwards."""
    if ctx.goal.unresolved is not None and ctx.status.pinned is None:
        return stop(
            ctx,
            Outcome.SUPERSEDED,
            AbortReason.SUPERSEDED,
            "The spec asks for another model now, whose digest is being determined.",
        )
    if ctx.target == ctx.rollout.revision:
        return None
    return stop(
        ctx,
        Outcome.SUPERSEDED,
        AbortReason.SUPERSEDED,
        f"{'`rollback`' if ctx.status.pinned else 'The spec'} asks for revision {ctx.target} now.",
    )


def record_invalid(ctx: RolloutContext) -> Decision | None:
    """Abort if the revision's record is invalid: what would be promoted was not judged."""
    fault = ctx.facts.invalid_records.get(ctx.rollout.revision)
    return abort(ctx, AbortReason.INVALID_RECORD, fault) if fault else None


def lost_all_traffic_pods(ctx: RolloutContext) -> Decision | None:
    """Abort if the revision has the bake's weight and no ready pod, and the old one has some."""
    if ctx.rollout.state not in ALL_TRAFFIC or ctx.canary.ready_endpoints > 0:
        return None
    if ctx.stable.ready_endpoints == 0:
        return None
    weight = ctx.rollout.weight
    share = "all traffic" if weight == FULL_WEIGHT else f"{weight} % of the requests"
    return abort(
        ctx, AbortReason.CANARY_UNHEALTHY, f"It lost its last ready pod while it had {share}."
    )


def lost_its_pods(ctx: RolloutContext) -> Decision | None:
    """Move all requests to the stable revision at once if the new one has no ready pod."""
    rollout, settings = ctx.rollout, ctx.settings
    header_match = settings.canary.match is not None and header_routed(ctx.status)
    before_users = rollout.state in PRE_TRAFFIC and rollout.step_started_at is not None
    if ctx.canary.ready_endpoints > 0 or not (rollout.weight or header_match or before_users):
        return None
    if ctx.stable.ready_endpoints == 0:
        return None
    share = f"{rollout.weight} % of the requests" if rollout.weight else "requests"
    event = warning(
        EventReason.TRAFFIC_SHED,
        f"Revision {rollout.revision} lost its last ready pod; its {share} go to"
        f" {rollout.base} now.",
    )
    state = State.PRIMING if is_stepwise(rollout) or rollout.weight else State.STARTING
    return set_weight(ctx, state, 0, event, unready_since=ctx.now)


def stayed_unready(ctx: RolloutContext) -> Decision | None:
    """Abort if the revision had traffic, lost its pods, and they did not come back."""
    since = ctx.rollout.unready_since
    if since is None or ctx.canary.ready_endpoints > 0:
        return None
    if ctx.elapsed(since) < UNREADY_GRACE_SECONDS:
        return None
    return abort(
        ctx,
        AbortReason.CANARY_UNHEALTHY,
        f"It had traffic and has had no ready pod for {UNREADY_GRACE_SECONDS:.0f} s",
        ctx.canary.message,
    )


def crashed(ctx: RolloutContext) -> Decision | None:
    """Abort if the revision was never ready and restarts again and again."""
    canary = ctx.canary
    if ctx.rollout.state is not State.STARTING or canary.ready_endpoints > 0:
        return None
    if canary.cause is not NotReadyReason.CRASH_LOOP or canary.restarts < FAIL_FAST_RESTARTS:
        return None
    return abort(
        ctx,
        AbortReason.CANARY_CRASHED,
        f"It was never ready and restarted {canary.restarts} times",
        canary.message,
    )


def past_deadline(ctx: RolloutContext) -> Decision | None:
    """Abort if too few pods are ready in time. A full cluster says nothing about the model."""
    canary, deadline = ctx.canary, ctx.settings.progress_deadline_seconds
    if ctx.rollout.state not in AWAITING_PODS or canary.cause in CAPACITY:
        return None
    if ctx.clocks_stopped or canary.ready_endpoints >= min_ready(ctx):
        return None
    if rejection := rejected(ctx):
        return rejection
    if ctx.elapsed(ctx.rollout.last_progress_at) < deadline:
        return None
    return abort(
        ctx,
        AbortReason.PROGRESS_DEADLINE,
        f"Only {canary.ready_endpoints} of {min_ready(ctx)} pods are ready after {deadline} s"
        f" ({canary.cause or 'unknown cause'})",
        canary.message,
    )


def rejected(ctx: RolloutContext) -> Decision | None:
    """Abort if the API server rejects the revision's objects, as the same request fails again."""
    if not ctx.canary.rejected or ctx.rollout.state is not State.STARTING:
        return None
    if ctx.elapsed(ctx.rollout.last_progress_at) < REJECTED_GRACE_SECONDS:
        return None
    return abort(
        ctx,
        AbortReason.CANARY_REJECTED,
        "The API server rejects its workload",
        ctx.canary.message,
    )


def route_past_deadline(ctx: RolloutContext) -> Decision | None:
    """Abort if the route stays unaccepted, as more waiting does not help."""
    if ctx.rollout.state not in AWAITING_ROUTE or ctx.rollout.weight_applied_at is not None:
        return None
    if ctx.clocks_stopped:
        return None
    if ctx.elapsed(ctx.rollout.last_progress_at) < ROUTE_DEADLINE_SECONDS:
        return None
    return abort(
        ctx,
        AbortReason.ROUTE_NOT_ACCEPTED,
        f"The route was not accepted within {ROUTE_DEADLINE_SECONDS:.0f} s",
        ctx.facts.route.message,
    )


def no_data_for_too_long(ctx: RolloutContext) -> Decision | None:
    """Abort if no request reached the revision in time and `onNoData` is Abort."""
    analysis, evidence = ctx.settings.analysis, ctx.rollout.evidence
    seconds = analysis.no_data_timeout_seconds
    if evidence is None or not _timed_out(
        ctx, analysis.on_no_data, evidence.no_data_since, seconds
    ):
        return None
    return abort(
        ctx,
        AbortReason.NO_DATA,
        f"It has had no request for {seconds} s",
        evidence.message or "",
    )


def metrics_down_for_too_long(ctx: RolloutContext) -> Decision | None:
    """Abort if Prometheus does not answer in time and `onMetricsDown` is Abort."""
    analysis, evidence = ctx.settings.analysis, ctx.rollout.evidence
    seconds = analysis.metrics_timeout_seconds
    if evidence is None or not _timed_out(
        ctx, analysis.on_metrics_down, evidence.metrics_down_since, seconds
    ):
        return None
    return abort(
        ctx,
        AbortReason.METRICS_DOWN,
        f"Prometheus has been unavailable for {seconds} s",
        evidence.message or "",
    )


def _timed_out(
    ctx: RolloutContext, on_timeout: OnTimeout, since: float | None, seconds: int
) -> bool:
    """Whether evidence has been missing for *seconds* and the setting is to abort for it."""
    if on_timeout is not OnTimeout.ABORT or ctx.clocks_stopped or ctx.rollout.skip_analysis:
        return False
    return since is not None and ctx.elapsed(since) >= seconds


def inconclusive_for_too_long(ctx: RolloutContext) -> Decision | None:
    """Abort if `maxSeconds` are over without enough evidence and `onInconclusive` is Abort."""
    if ctx.settings.analysis.on_inconclusive is not OnTimeout.ABORT or ctx.clocks_stopped:
        return None
    if not inconclusive(ctx):
        return None
    return abort(
        ctx, AbortReason.INCONCLUSIVE, "The step reached its maxSeconds without a verdict."
    )


def inconclusive(ctx: RolloutContext) -> bool:
    """Whether `maxSeconds` are over although there is evidence to judge."""
    rollout = ctx.rollout
    until = analysis_deadline(rollout, ctx.settings)
    return (
        until is not None
        and rollout.evidence is not None
        and rollout.evidence.verdict == Verdict.CONTINUE
        and ctx.now >= until
    )


def mirror_rejected(ctx: RolloutContext) -> Decision | None:
    """Abort if a gateway rejects the route because of its mirror: users' requests come first."""
    route = ctx.facts.route
    if mirror_percent(ctx.status, ctx.settings) == 0 or not (route.applied and route.rejected):
        return None
    return abort(
        ctx,
        AbortReason.ROUTE_NOT_ACCEPTED,
        "The Gateway does not accept a route that mirrors requests",
        route.message,
    )


SAFETY = (
    aborted_by_command,
    pause_forgotten,
    aborted_by_evidence,
    reverted,
    superseded,
    record_invalid,
    lost_all_traffic_pods,
    lost_its_pods,
    stayed_unready,
    control_lost,
    stable_is_down,
    stable_is_back,
    reduce_to_ready_pods,
    crashed,
    past_deadline,
    mirror_rejected,
    route_past_deadline,
    no_data_for_too_long,
    metrics_down_for_too_long,
    inconclusive_for_too_long,
)
"""The most severe one first; the order is the policy."""
