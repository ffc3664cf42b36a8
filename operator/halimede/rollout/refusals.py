"""Why a command is not carried out."""

from halimede.api.status import State
from halimede.rollout.advance import SKIPPABLE, without_evidence
from halimede.rollout.command import LONGEST, Command, Verb
from halimede.rollout.idle import failure
from halimede.rollout.safety import inconclusive
from halimede.rollout.scene import Scene

PROMOTABLE = {
    Verb.PROMOTE: frozenset({State.ANALYSING, State.STEP_PAUSED, State.AWAITING_PROMOTION}),
    Verb.PROMOTE_FULL: SKIPPABLE,
}
DECIDED = frozenset({State.DRAINING, State.ABORTING, State.ABORT_DRAINING})


def why_not(scene: Scene, command: Command) -> str | None:
    """Say why a command cannot be carried out; None if it can, now or when nothing holds it."""
    if command.verb is None:
        form = f"write <verb>[:<revision>]@<token>, at most {LONGEST} characters"
        return f"{form}; the verbs are {', '.join(Verb)}"
    if command.token in scene.status.used_tokens:
        return f"the token {command.token} has been used: choose one that is new"
    if command.verb is Verb.RETRY:
        return _why_not_retry(scene, command)
    return _why_not_now(scene, command)


def _why_not_retry(scene: Scene, command: Command) -> str | None:
    target = scene.wanted.target
    if command.revision not in (None, target):
        return f"the spec asks for revision {target}"
    return None if failure(scene.status, target) else f"{target} has not failed"


def _why_not_now(scene: Scene, command: Command) -> str | None:
    rollout = scene.status.rollout
    if rollout is None:
        return "no rollout is under way"
    if command.revision not in (None, rollout.revision):
        return f"revision {rollout.revision} is rolled out"
    if rollout.state in DECIDED:
        return f"the rollout is decided already ({rollout.outcome})"
    match command.verb:
        case Verb.PROMOTE | Verb.PROMOTE_FULL:
            return _why_not_promote(scene, command.verb)
        case Verb.RESUME:
            return _why_not_resume(scene)
        case _:
            return None


def _why_not_promote(scene: Scene, verb: Verb) -> str | None:
    state = scene.rollout.state
    if scene.paused:
        by_spec = scene.settings.paused
        cure = "set spec.rollout.paused to false" if by_spec else "command `resume`"
        return f"the rollout is paused: {cure} first"
    if state not in PROMOTABLE[verb]:
        return f"there is nothing to promote in state {state}"
    return None


def _why_not_resume(scene: Scene) -> str | None:
    """Say so if `resume` has nothing to end: no pause by command, and no wait for evidence."""
    if scene.rollout.paused_since is not None or inconclusive(scene) or without_evidence(scene):
        return None
    if scene.settings.paused:
        return "spec.rollout.paused holds the rollout: set it to false"
    return "the rollout is not paused"
