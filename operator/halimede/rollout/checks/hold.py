"""Checks that keep a rollout where it is, after safety and before anything that advances."""

from halimede.api.reasons import Reason
from halimede.api.status import State
from halimede.rollout.context import Decision, RolloutContext, first_decision
from halimede.rollout.decisions import undo_raise, wait
from halimede.rollout.route_conflict import active_conflict


def spec_invalid(ctx: RolloutContext) -> Decision | None:
    """Hold while the spec is invalid, unless `rollback` has pinned a revision."""
    if ctx.goal.invalid is None or ctx.status.pinned is not None:
        return None
    return wait(ctx, Reason.INVALID_SPEC, ctx.goal.invalid)


def scaled_to_zero(ctx: RolloutContext) -> Decision | None:
    """Hold while `spec.replicas` is 0: without pods there is nothing to judge."""
    if ctx.facts.replicas > 0:
        return None
    return wait(
        ctx, Reason.SCALED_TO_ZERO, "spec.replicas is 0: the rollout waits until it is raised."
    )


def paused(ctx: RolloutContext) -> Decision | None:
    """Hold while a user pauses the rollout."""
    if not ctx.paused:
        return None
    rollout, timeout = ctx.rollout, ctx.settings.pause_timeout_seconds
    commanded = rollout.paused_since is not None
    by = ["The command `pause`"] if commanded else []
    by += ["spec.rollout.paused"] if ctx.settings.paused else []
    return wait(
        ctx,
        Reason.PAUSED,
        f"{' and '.join(by)} hold{'s' if len(by) == 1 else ''} revision {rollout.revision} at"
        f" {rollout.weight} % ({rollout.state})",
        "The command `resume` ends the pause" if commanded else "",
        f"The rollout is aborted after pauseTimeoutSeconds ({timeout})" if timeout else "",
    )


def route_conflict(ctx: RolloutContext) -> Decision | None:
    """Hold while another field manager changes the weights, which says nothing about the model."""
    conflict = active_conflict(ctx.status)
    if conflict is None:
        return None
    rollout = ctx.rollout
    return wait(
        ctx,
        Reason.ROUTE_CONFLICT,
        conflict,
        f"Revision {rollout.revision} stays at {rollout.weight} % ({rollout.state})",
    )


def route_blocked(ctx: RolloutContext) -> Decision | None:
    """Hold while the route cannot be used, until a user changes something.

    The user's route does not exist or has no backend for the model, or foreign objects have
    names that the rollout needs.
    """
    if not ctx.facts.route.blocked:
        return None
    return wait(ctx, Reason.ROUTE_NOT_ACCEPTED, ctx.facts.route.message)


def revert_unwritten_raise(ctx: RolloutContext) -> Decision | None:
    """Undo a raise that was stored but never written, while something holds the rollout."""
    back = BEFORE_RAISE.get(ctx.rollout.state)
    if back is None or not ctx.raise_unwritten or first_decision(REASONS, ctx) is None:
        return None
    return undo_raise(ctx, back)


BEFORE_RAISE = {
    State.SHIFTING: State.SHIFTING,
    State.SCALING_UP: State.SCALING_UP,
    State.PROMOTING: State.SCALING_UP,
}
"""The state in which an undone raise is decided again, by the current state."""
REASONS = (spec_invalid, scaled_to_zero, paused, route_blocked, route_conflict)
"""The first one that applies is reported."""
HOLDING = (revert_unwritten_raise, *REASONS)
"""The checks that hold a rollout, in this order."""
