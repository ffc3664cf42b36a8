"""What a revision shows before users meet it: by copies of their requests, or behind a preview.

Neither is a fair sample: a gateway may copy HTTP and not gRPC, and a preview is asked whatever
somebody asks it. So the judge holds a rehearsal to its ceiling and its level, compares it with the
stable revision's requests in nothing, and begins anew when users come.
"""

from dataclasses import replace

from halimede.api.conditions import Reason
from halimede.api.rollout import Stage
from halimede.api.status import State
from halimede.judge.verdict import Verdict
from halimede.rollout.advance import ANEW, shift
from halimede.rollout.awaiting import await_evidence, await_route, told, without_evidence
from halimede.rollout.command import Verb
from halimede.rollout.events import normal, sentences
from halimede.rollout.moves import enter, wait, with_rollout
from halimede.rollout.safety import inconclusive
from halimede.rollout.scene import Move, Scene


def mirroring(scene: Scene) -> Move:
    """Judge the revision by copies of users' requests, whose answers nobody gets."""
    mirror = scene.settings.canary.mirror
    if mirror is None:
        return to_users(scene)
    return _begun(scene) or (to_users(scene) if _passed(scene, mirror) else _awaited(scene))


def awaiting_promotion(scene: Scene) -> Move:
    """Switch when that is commanded, or by itself if the spec says so and the judge agrees."""
    settings = scene.settings.blue_green
    stage = settings.preview_analysis
    begun = _begun(scene) if stage else None if scene.settled else await_route(scene)
    if begun:
        return begun
    if settings.auto_promote:
        ready = stage is None or _passed(scene, stage)
        return enter(scene, State.SCALING_UP, **ANEW) if ready else _awaited(scene)
    return wait(
        scene,
        Reason.PAUSED,
        f"Revision {scene.rollout.revision} is ready behind the preview Service; it waits for the"
        " command `promote`.",
        told(scene),
    )


def promoted_early(scene: Scene) -> Move | None:
    """Somebody has seen enough of the copies or of the preview."""
    if not scene.commanded(Verb.PROMOTE):
        return None
    match scene.rollout.state:
        case State.MIRRORING:
            return replace(to_users(scene), handled=True)
        case State.AWAITING_PROMOTION:
            return replace(enter(scene, State.SCALING_UP, **ANEW), handled=True)
        case _:
            return None


def to_users(scene: Scene) -> Move:
    """End the copies and go to the first step."""
    event = normal("MirrorEnded", sentences("The first step follows", told(scene)))
    changes = {"mirrored_at": scene.now, **ANEW}
    moved = shift(replace(scene, status=with_rollout(scene.status, **changes)))
    return replace(moved, events=(event, *moved.events))


def _begun(scene: Scene) -> Move | None:
    """Wait until requests can come, and note when that is."""
    if scene.rollout.step_started_at is not None:
        return None
    if not scene.settled:
        return await_route(scene)
    return Move(with_rollout(scene.status, step_started_at=scene.now))


def _passed(scene: Scene, stage: Stage) -> bool:
    """Whether the judge says in this very pass that it is good enough for users."""
    since = scene.rollout.step_started_at or scene.now
    return scene.verdict is Verdict.PASS and scene.elapsed(since) >= stage.min_seconds


def _awaited(scene: Scene) -> Move:
    if inconclusive(scene):
        return wait(
            scene,
            Reason.PAUSED,
            f"{WORDS[scene.rollout.state]}, which is inconclusive after its maxSeconds; it goes on"
            " with more evidence or with the command `promote`.",
            told(scene),
        )
    if without_evidence(scene):
        return await_evidence(scene)
    message = f"{WORDS[scene.rollout.state]}; no user meets revision {scene.rollout.revision}"
    return wait(scene, Reason.ROLLING_OUT, message, told(scene))


WORDS = {
    State.MIRRORING: "Copies of requests are judged",
    State.AWAITING_PROMOTION: "The preview is judged",
}
"""What goes on before the first user, in words."""
