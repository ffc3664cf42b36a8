"""What a revision shows before users meet it: by copies of their requests, or behind a preview.

Neither is a fair sample: a gateway may copy HTTP and not gRPC, and a preview is asked whatever
somebody asks it. So the judge holds a rehearsal to its ceiling and its level, compares it with the
stable revision's requests in nothing, and begins anew when users come.
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
    """Judge the revision by copies of users' requests, whose answers nobody gets."""
    mirror = ctx.settings.canary.mirror
    if mirror is None:
        return start_first_step(ctx)
    return _begun(ctx) or (start_first_step(ctx) if _passed(ctx, mirror) else _awaited(ctx))


def awaiting_promotion(ctx: RolloutContext) -> Decision:
    """Switch when that is commanded, or by itself if the spec says so and the judge agrees."""
    settings = ctx.settings.blue_green
    stage = settings.preview_analysis
    begun = _begun(ctx) if stage else None if ctx.route_settled else wait_for_route(ctx)
    if begun:
        return begun
    if settings.auto_promote:
        ready = stage is None or _passed(ctx, stage)
        return enter(ctx, State.SCALING_UP, **RESET_ANALYSIS) if ready else _awaited(ctx)
    return wait(
        ctx,
        Reason.PAUSED,
        f"Revision {ctx.rollout.revision} is ready behind the preview Service; it waits for the"
        " command `promote`.",
        analysis_message(ctx),
    )


def promoted_early(ctx: RolloutContext) -> Decision | None:
    """Somebody has seen enough of the copies or of the preview."""
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
    """End the copies and go to the first step."""
    event = normal(
        EventReason.MIRROR_ENDED, join_sentences("The first step follows", analysis_message(ctx))
    )
    changes = {"mirrored_at": ctx.now, **RESET_ANALYSIS}
    decision = shift(replace(ctx, status=with_rollout(ctx.status, **changes)))
    return replace(decision, events=(event, *decision.events))


def _begun(ctx: RolloutContext) -> Decision | None:
    """Wait until requests can come, and note when that is."""
    if ctx.rollout.step_started_at is not None:
        return None
    if not ctx.route_settled:
        return wait_for_route(ctx)
    return Decision(with_rollout(ctx.status, step_started_at=ctx.now))


def _passed(ctx: RolloutContext, stage: Stage) -> bool:
    """Whether the judge says in this very pass that it is good enough for users."""
    since = ctx.rollout.step_started_at or ctx.now
    return ctx.verdict is Verdict.PASS and ctx.elapsed(since) >= stage.min_seconds


def _awaited(ctx: RolloutContext) -> Decision:
    if inconclusive(ctx):
        return wait(
            ctx,
            Reason.PAUSED,
            f"{PROGRESS_MESSAGES[ctx.rollout.state]}, which is inconclusive after its"
            " maxSeconds; it goes on with more evidence or with the command `promote`.",
            analysis_message(ctx),
        )
    if without_evidence(ctx):
        return wait_for_evidence(ctx)
    words = PROGRESS_MESSAGES[ctx.rollout.state]
    message = f"{words}; no user meets revision {ctx.rollout.revision}"
    return wait(ctx, Reason.ROLLING_OUT, message, analysis_message(ctx))


PROGRESS_MESSAGES = {
    State.MIRRORING: "Copies of requests are judged",
    State.AWAITING_PROMOTION: "The preview is judged",
}
"""What goes on before the first user, in words."""
