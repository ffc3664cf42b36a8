"""The machine: one pass takes a rollout at most one step on.

Safety comes first, then what holds, then commands, then what advances.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from halimede.api.rollout import Strategy
from halimede.api.status import RevisionStatus, State, Status
from halimede.rollout import (
    advance,
    bake,
    conflict,
    history,
    idle,
    pauses,
    recreate,
    rehearsal,
    retreat,
    room,
    safety,
)
from halimede.rollout.command import Command, Verb, answered, carried_out, refusal
from halimede.rollout.events import Event, normal
from halimede.rollout.holding import HOLDING, scaled_to_zero
from halimede.rollout.refusals import ends_pin, why_not
from halimede.rollout.safety import SAFETY
from halimede.rollout.scene import Check, Move, Scene, first
from halimede.rollout.steps import refitted

ADVANCES: Mapping[State, Callable[[Scene], Move]] = {
    State.STOPPING: recreate.stopping,
    State.STARTING: advance.starting,
    State.PRIMING: advance.priming,
    State.MIRRORING: rehearsal.mirroring,
    State.SHIFTING: advance.shifting,
    State.ANALYSING: advance.analysing,
    State.STEP_PAUSED: advance.step_paused,
    State.AWAITING_PROMOTION: rehearsal.awaiting_promotion,
    State.SCALING_UP: advance.scaling_up,
    State.PROMOTING: advance.promoting,
    State.BAKING: bake.baking,
}
RETREATS: Mapping[State, Callable[[Scene], Move]] = {
    State.ABORTING: retreat.aborting,
    State.ABORT_DRAINING: retreat.abort_draining,
    State.DRAINING: retreat.draining,
}


RECREATES: Mapping[State, Callable[[Scene], Move]] = {
    State.STARTING: recreate.starting,
    State.ABORT_DRAINING: recreate.abort_draining,
}
"""What the strategy Recreate does differently."""


def retreating(scene: Scene) -> Move | None:
    """Traffic that goes back, and a revision that leaves, wait for nothing else."""
    return _own(scene) if scene.rollout.state in RETREATS else None


def advancing(scene: Scene) -> Move:
    """Do what is next in the rollout's state."""
    return _own(scene)


def _own(scene: Scene) -> Move:
    state = scene.rollout.state
    own = RECREATES if scene.rollout.strategy is Strategy.RECREATE else {}
    check = own.get(state) or ADVANCES.get(state) or RETREATS[state]
    return check(scene)


IDLE: tuple[Check, ...] = idle.IDLE
"""What is asked while no rollout is under way, in this order."""
CHECKS: tuple[Check, ...] = (
    retreating,
    *SAFETY,
    *HOLDING,
    room.lend,
    rehearsal.promoted_early,
    advance.promote_commanded,
    advance.promote_full_commanded,
    advance.promote_full_force_commanded,
    advancing,
)
"""What is asked of a rollout under way, in this order."""
RECREATE_CHECKS: tuple[Check, ...] = (
    retreating,
    safety.aborted_by_command,
    recreate.pause_forgotten,
    safety.aborted_by_evidence,
    safety.reverted,
    recreate.superseded,
    safety.stayed_unready,
    safety.crashed,
    recreate.past_deadline,
    safety.route_past_deadline,
    safety.no_data_for_too_long,
    safety.metrics_down_for_too_long,
    scaled_to_zero,
    recreate.paused,
    recreate.lost_its_pods,
    advance.promote_full_force_commanded,
    advancing,
)
"""The same where one revision stops before the other starts: little may hold that up."""


def move(scene: Scene) -> Move:
    """Decide what one pass changes, from facts and status alone."""
    scene = replace(scene, status=learned(scene))
    command = scene.command
    if command is None:
        return _decided(scene)
    if why := why_not(scene, command):
        told = _decided(replace(scene, command=None))
        refused = replace(told, events=(*told.events, refusal(command, why)))
        return replace(refused, status=answered(refused.status, command))
    if (noted := _noted(scene, command)) is not None:
        status, events = noted
        after = _decided(replace(scene, status=carried_out(status, command), command=None))
        return replace(after, events=(*events, *after.events))
    decided = _decided(scene)
    if not decided.handled:
        return decided
    return replace(decided, status=carried_out(decided.status, command))


def _noted(scene: Scene, command: Command) -> tuple[Status, tuple[Event, ...]] | None:
    """Carry a command out that only changes what is known; None: a check has to move."""
    match command.verb:
        case Verb.RETRY:
            status = idle.retried(scene)
            return None if status is None else (status, ())
        case Verb.ROLLBACK if not history.by_abort(scene, command):
            return history.rolled_back(scene, command)
        case Verb.RESUME if ends_pin(scene.status):
            return history.unpinned(scene)
        case Verb.PAUSE | Verb.RESUME:
            return _held(scene, pause=command.verb is Verb.PAUSE)
        case _:
            return None


def _held(scene: Scene, *, pause: bool) -> tuple[Status, tuple[Event, ...]]:
    change, named = (pauses.paused, "Paused") if pause else (pauses.resumed, "Resumed")
    rollout = change(scene.rollout, scene.now)
    event = normal(
        f"Rollout{named}",
        f"Revision {rollout.revision} is {named.lower()} at {rollout.weight} %, as commanded.",
    )
    return scene.status.evolve(rollout=rollout), (event,)


def _decided(scene: Scene) -> Move:
    rollout = scene.status.rollout
    if rollout is None:
        checks = IDLE
    else:
        checks = RECREATE_CHECKS if rollout.strategy is Strategy.RECREATE else CHECKS
    return first(checks, scene) or Move(scene.status)


def learned(scene: Scene) -> Status:
    """Note what this pass saw before anything is decided."""
    status, now = scene.status, scene.now
    target = scene.wanted.target
    if status.target is None or status.target.revision != target:
        status = status.evolve(target=RevisionStatus(revision=target, since=now))
    warm = tuple(one for one in status.warm if one.warm_until > now)
    if warm != status.warm:
        status = status.evolve(warm=warm)
    status = history.trimmed(history.held(status, scene.wanted), scene.settings)
    status = conflict.noted(status, scene.facts.route.foreign_write, now)
    rollout = status.rollout
    if rollout is None:
        return status
    if rollout.weight_applied_at is None and scene.route_answered:
        rollout = rollout.evolve(weight_applied_at=now)
    rollout = room.noted(rollout, scene)
    rollout = conflict.blocked(rollout, scene.facts.route, now)
    rollout = pauses.noted(rollout, scene.settings, now)
    rollout = refitted(rollout, scene.settings, now)
    rollout = recreate.noted(rollout, scene)
    if rollout.actual_weight != scene.actual_weight:
        rollout = rollout.evolve(actual_weight=scene.actual_weight)
    return status if rollout is status.rollout else status.evolve(rollout=rollout)
