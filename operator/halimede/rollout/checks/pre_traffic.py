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


def mirroring(scene: RolloutContext) -> Decision:
    """Judge the revision by copies of users' requests, whose answers nobody gets."""
    mirror = scene.settings.canary.mirror
    if mirror is None:
        return start_first_step(scene)
    return _begun(scene) or (
        start_first_step(scene) if _passed(scene, mirror) else _awaited(scene)
    )


def awaiting_promotion(scene: RolloutContext) -> Decision:
    """Switch when that is commanded, or by itself if the spec says so and the judge agrees."""
    settings = scene.settings.blue_green
    stage = settings.preview_analysis
    begun = _begun(scene) if stage else None if scene.route_settled else wait_for_route(scene)
    if begun:
        return begun
    if settings.auto_promote:
        ready = stage is None or _passed(scene, stage)
        return enter(scene, State.SCALING_UP, **RESET_ANALYSIS) if ready else _awaited(scene)
    return wait(
        scene,
        Reason.PAUSED,
        f"Revision {scene.rollout.revision} is ready behind the preview Service; it waits for the"
        " command `promote`.",
        analysis_message(scene),
    )


def promoted_early(scene: RolloutContext) -> Decision | None:
    """Somebody has seen enough of the copies or of the preview."""
    if not scene.commanded(Verb.PROMOTE):
        return None
    match scene.rollout.state:
        case State.MIRRORING:
            return replace(start_first_step(scene), handled=True)
        case State.AWAITING_PROMOTION:
            return replace(enter(scene, State.SCALING_UP, **RESET_ANALYSIS), handled=True)
        case _:
            return None


def start_first_step(scene: RolloutContext) -> Decision:
    """End the copies and go to the first step."""
    event = normal(
        EventReason.MIRROR_ENDED, join_sentences("The first step follows", analysis_message(scene))
    )
    changes = {"mirrored_at": scene.now, **RESET_ANALYSIS}
    moved = shift(replace(scene, status=with_rollout(scene.status, **changes)))
    return replace(moved, events=(event, *moved.events))


def _begun(scene: RolloutContext) -> Decision | None:
    """Wait until requests can come, and note when that is."""
    if scene.rollout.step_started_at is not None:
        return None
    if not scene.route_settled:
        return wait_for_route(scene)
    return Decision(with_rollout(scene.status, step_started_at=scene.now))


def _passed(scene: RolloutContext, stage: Stage) -> bool:
    """Whether the judge says in this very pass that it is good enough for users."""
    since = scene.rollout.step_started_at or scene.now
    return scene.verdict is Verdict.PASS and scene.elapsed(since) >= stage.min_seconds


def _awaited(scene: RolloutContext) -> Decision:
    if inconclusive(scene):
        return wait(
            scene,
            Reason.PAUSED,
            f"{PROGRESS_MESSAGES[scene.rollout.state]}, which is inconclusive after its"
            " maxSeconds; it goes on with more evidence or with the command `promote`.",
            analysis_message(scene),
        )
    if without_evidence(scene):
        return wait_for_evidence(scene)
    words = PROGRESS_MESSAGES[scene.rollout.state]
    message = f"{words}; no user meets revision {scene.rollout.revision}"
    return wait(scene, Reason.ROLLING_OUT, message, analysis_message(scene))


PROGRESS_MESSAGES = {
    State.MIRRORING: "Copies of requests are judged",
    State.AWAITING_PROMOTION: "The preview is judged",
}
"""What goes on before the first user, in words."""
