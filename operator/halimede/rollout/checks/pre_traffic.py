"""Analysis before users' requests come: by mirrored requests, or behind the preview Service.

Neither is a fair sample: a gateway may mirror HTTP and not gRPC, and a preview gets arbitrary
requests. So the judge applies only the ceiling and the level, does not compare the revision with
the stable one, and starts again when users' requests come.
"""

from dataclasses import replace

from halimede.api.reasons import EventReason, Reason, Verdict
from halimede.api.rollout import Stage
from halimede.api.status import State
from halimede.rollout.checks.progress import RESET_ANALYSIS, shift
from halimede.rollout.checks.safety import inconclusive
from halimede.rollout.checks.waits import (
    analysis_message,
    wait_for_evidence,
    wait_for_route,
    without_evidence,
)
from halimede.rollout.command import Verb
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import enter, wait, with_rollout
from halimede.rollout.events import join_sentences, normal


def mirroring(ctx: RolloutContext) -> Decision:
    """Judge the revision by mirrored requests, whose responses are discarded."""
    mirror = ctx.settings.canary.mirror
    if mirror is None:
        return start_first_step(ctx)
    return _start_stage(ctx) or (
        start_first_step(ctx) if _stage_passed(ctx, mirror) else _wait_for_verdict(ctx)
    )


def awaiting_promotion(ctx: RolloutContext) -> Decision:
    """Switch on command; or, with `autoPromote`, on the verdict Pass if there is an analysis."""
    settings = ctx.settings.blue_green
    stage = settings.preview_analysis
    unready = _start_stage(ctx) if stage else None if ctx.route_settled else wait_for_route(ctx)
    if unready:
        return unready
    if settings.auto_promote:
        ready = stage is None or _stage_passed(ctx, stage)
        return enter(ctx, State.SCALING_UP, **RESET_ANALYSIS) if ready else _wait_for_verdict(ctx)
    return wait(
        ctx,
        Reason.PAUSED,
        f"Revision {ctx.rollout.revision} is ready behind the preview Service and waits for"
        " the command `promote`.",
        analysis_message(ctx),
    )


def promoted_early(ctx: RolloutContext) -> Decision | None:
    """End the mirror or the preview on the command `promote`."""
    if not ctx.commanded(Verb.PROMOTE):
        return None
    match ctx.rollout.state:
        case State.MIRRORING:
            return replace(start_first_step(ctx), handled=True)
        case State.AWAITING_PROMOTION:
            return replace(enter(ctx, State.SCALING_UP, **RESET_ANALYSIS), handled=True)
        case _:
            return None


def start_first_step(ctx: RolloutContext) -> Decision:
    """End the mirror and go to the first step."""
    event = normal(
        EventReason.MIRROR_ENDED,
        join_sentences(
            f"Revision {ctx.rollout.revision} starts its first step", analysis_message(ctx)
        ),
    )
    changes = {"mirrored_at": ctx.now, **RESET_ANALYSIS}
    decision = shift(replace(ctx, status=with_rollout(ctx.status, **changes)))
    return replace(decision, events=(event, *decision.events))


def _start_stage(ctx: RolloutContext) -> Decision | None:
    """Wait until requests can come, and record when that is; None once it is recorded."""
    if ctx.rollout.step_started_at is not None:
        return None
    if not ctx.route_settled:
        return wait_for_route(ctx)
    return Decision(with_rollout(ctx.status, step_started_at=ctx.now))


def _stage_passed(ctx: RolloutContext, stage: Stage) -> bool:
    """Whether the verdict of this reconcile is Pass and `minSeconds` are over."""
    since = ctx.rollout.step_started_at or ctx.now
    return ctx.verdict is Verdict.PASS and ctx.elapsed(since) >= stage.min_seconds


def _wait_for_verdict(ctx: RolloutContext) -> Decision:
    if inconclusive(ctx):
        return wait(
            ctx,
            Reason.PAUSED,
            f"{PROGRESS_MESSAGES[ctx.rollout.state]} is inconclusive after its maxSeconds; the"
            " rollout continues with more evidence or with the command `promote`.",
            analysis_message(ctx),
        )
    if without_evidence(ctx):
        return wait_for_evidence(ctx)
    words = PROGRESS_MESSAGES[ctx.rollout.state]
    message = f"{words} continues; revision {ctx.rollout.revision} serves no users yet"
    return wait(ctx, Reason.ROLLING_OUT, message, analysis_message(ctx))


PROGRESS_MESSAGES = {
    State.MIRRORING: "The analysis of mirrored requests",
    State.AWAITING_PROMOTION: "The analysis of the preview",
}
"""What goes on before users' requests come, as text."""
