"""Checks that keep a rollout where it is, after safety and before anything that advances."""

from halimede.api.reasons import Reason
from halimede.api.status import State
from halimede.rollout.context import Decision, RolloutContext, first_decision
from halimede.rollout.decisions import undo_raise, wait
from halimede.rollout.route_conflict import active_conflict


def spec_invalid(scene: RolloutContext) -> Decision | None:
    """The spec cannot be understood now: nothing goes on until it can, unless commanded."""
    if scene.goal.invalid is None or scene.status.pinned is not None:
        return None
    return wait(scene, Reason.INVALID_SPEC, scene.goal.invalid)


def scaled_to_zero(scene: RolloutContext) -> Decision | None:
    """Nothing is to serve, so there is nothing to learn."""
    if scene.facts.replicas > 0:
        return None
    return wait(scene, Reason.SCALED_TO_ZERO, "spec.replicas is 0: the rollout waits for pods.")


def paused(scene: RolloutContext) -> Decision | None:
    """A human wants to hold it here."""
    if not scene.paused:
        return None
    rollout, timeout = scene.rollout, scene.settings.pause_timeout_seconds
    commanded = rollout.paused_since is not None
    by = ["The command `pause`"] if commanded else []
    by += ["spec.rollout.paused"] if scene.settings.paused else []
    return wait(
        scene,
        Reason.PAUSED,
        f"{' and '.join(by)} hold{'s' if len(by) == 1 else ''} revision {rollout.revision} at"
        f" {rollout.weight} % ({rollout.state})",
        "The command `resume` ends it" if commanded else "",
        f"After pauseTimeoutSeconds ({timeout}) it is aborted" if timeout else "",
    )


def route_conflict(scene: RolloutContext) -> Decision | None:
    """Somebody else keeps changing the weights: what they bring about is no news of the model."""
    told = active_conflict(scene.status)
    if told is None:
        return None
    rollout = scene.rollout
    return wait(
        scene,
        Reason.ROUTE_CONFLICT,
        told,
        f"Revision {rollout.revision} stays at {rollout.weight} % ({rollout.state})",
    )


def route_blocked(scene: RolloutContext) -> Decision | None:
    """The user's route is gone, or has no place for the model: weights cannot move."""
    if not scene.facts.route.blocked:
        return None
    return wait(scene, Reason.ROUTE_NOT_ACCEPTED, scene.facts.route.message)


def revert_unwritten_raise(scene: RolloutContext) -> Decision | None:
    """A raise that was stored, but never written, is not written while something holds."""
    back = BEFORE_RAISE.get(scene.rollout.state)
    if back is None or not scene.raise_unwritten or first_decision(REASONS, scene) is None:
        return None
    return undo_raise(scene, back)


BEFORE_RAISE = {
    State.SHIFTING: State.SHIFTING,
    State.SCALING_UP: State.SCALING_UP,
    State.PROMOTING: State.SCALING_UP,
}
"""Where a raise that is taken back is decided anew."""
REASONS = (spec_invalid, scaled_to_zero, paused, route_blocked, route_conflict)
"""Their order tells which reason is named."""
HOLDING = (revert_unwritten_raise, *REASONS)
"""What stands still, and what is said about it."""
