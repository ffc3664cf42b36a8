"""The machine: one pass takes a rollout at most one step on.

Safety comes first, then what holds, then commands, then what advances.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from halimede.api.status import RevisionStatus, RolloutStatus, State, Status
from halimede.rollout import advance, idle, retreat
from halimede.rollout.command import Command, Verb, refusal
from halimede.rollout.holding import HOLDING
from halimede.rollout.safety import SAFETY
from halimede.rollout.scene import Check, Move, Scene, first
from halimede.rollout.steps import refitted

ADVANCES: Mapping[State, Callable[[Scene], Move]] = {
    State.STARTING: advance.starting,
    State.PRIMING: advance.priming,
    State.SHIFTING: advance.shifting,
    State.ANALYSING: advance.analysing,
    State.AWAITING_PROMOTION: advance.awaiting_promotion,
    State.SCALING_UP: advance.scaling_up,
    State.PROMOTING: advance.promoting,
    State.BAKING: advance.baking,
}
RETREATS: Mapping[State, Callable[[Scene], Move]] = {
    State.ABORTING: retreat.aborting,
    State.ABORT_DRAINING: retreat.abort_draining,
    State.DRAINING: retreat.draining,
}


def retreating(scene: Scene) -> Move | None:
    """Traffic that goes back, and a revision that leaves, wait for nothing else."""
    leaving = RETREATS.get(scene.rollout.state)
    return leaving(scene) if leaving else None


def advancing(scene: Scene) -> Move:
    """Do what is next in the rollout's state."""
    return ADVANCES[scene.rollout.state](scene)


IDLE: tuple[Check, ...] = idle.IDLE
"""What is asked while no rollout is under way, in this order."""
PROMOTABLE = frozenset({State.ANALYSING, State.AWAITING_PROMOTION})
CHECKS: tuple[Check, ...] = (
    retreating,
    *SAFETY,
    *HOLDING,
    advance.promote_commanded,
    advancing,
)
"""What is asked of a rollout under way, in this order."""


def move(scene: Scene) -> Move:
    """Decide what one pass changes, from facts and status alone."""
    scene = replace(scene, status=learned(scene))
    command = scene.command
    if command is None:
        return _decided(scene)
    if why := _why_not(scene, command):
        told = _decided(replace(scene, command=None))
        refused = replace(told, events=(*told.events, refusal(command, why)))
        return replace(refused, status=_answered(refused.status, command))
    if (status := idle.retried(scene)) is not None:
        return _decided(replace(scene, status=_answered(status, command), command=None))
    decided = _decided(scene)
    if not decided.handled:
        return decided
    return replace(decided, status=_answered(decided.status, command))


def _decided(scene: Scene) -> Move:
    checks = IDLE if scene.status.rollout is None else CHECKS
    return first(checks, scene) or Move(scene.status)


def learned(scene: Scene) -> Status:
    """Note what this pass saw before anything is decided."""
    status, now = scene.status, scene.now
    target = scene.wanted.target
    if status.target is None or status.target.revision != target:
        status = status.model_copy(update={"target": RevisionStatus(revision=target, since=now)})
    warm = tuple(one for one in status.warm if one.warm_until > now)
    if warm != status.warm:
        status = status.model_copy(update={"warm": warm})
    rollout = status.rollout
    if rollout is None:
        return status
    if rollout.weight_applied_at is None and scene.route_answered:
        rollout = rollout.model_copy(update={"weight_applied_at": now})
    rollout = refitted(rollout, scene.settings, now)
    return status if rollout is status.rollout else status.model_copy(update={"rollout": rollout})


def _why_not(scene: Scene, command: Command) -> str | None:
    """Say why a command cannot be carried out; None if it can, now or when nothing holds it."""
    match command.verb:
        case None:
            return f"write <verb>[:<revision>]@<token>; the verbs are {', '.join(Verb)}"
        case Verb.RETRY:
            return _why_not_retry(scene, command)
        case Verb.PROMOTE | Verb.ABORT:
            return _why_not_now(scene.status.rollout, command)


def _why_not_retry(scene: Scene, command: Command) -> str | None:
    target = scene.wanted.target
    if command.revision not in (None, target):
        return f"the spec asks for revision {target}"
    return None if idle.failure(scene.status, target) else f"{target} has not failed"


def _why_not_now(rollout: RolloutStatus | None, command: Command) -> str | None:
    if rollout is None:
        return "no rollout is under way"
    if command.revision not in (None, rollout.revision):
        return f"revision {rollout.revision} is rolled out"
    if rollout.state in RETREATS:
        return f"the rollout is decided already ({rollout.outcome})"
    if command.verb is Verb.PROMOTE and rollout.state not in PROMOTABLE:
        return f"there is nothing to promote in state {rollout.state}"
    return None


def _answered(status: Status, command: Command) -> Status:
    return status.model_copy(update={"handled_command": command.token})
