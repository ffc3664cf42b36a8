"""The state machine: one reconcile takes a rollout at most one step on.

Safety checks come first, then checks that hold the rollout, then commands, then progress.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from halimede.api.reasons import EventReason
from halimede.api.rollout import Strategy
from halimede.api.status import RevisionStatus, State, Status
from halimede.rollout import pauses, revision_history, route_conflict
from halimede.rollout.checks import (
    abort,
    bake,
    cluster_capacity,
    pre_traffic,
    progress,
    recreate,
    safety,
    start,
)
from halimede.rollout.checks.hold import HOLDING, scaled_to_zero
from halimede.rollout.checks.safety import SAFETY
from halimede.rollout.command import (
    Command,
    Verb,
    executed_event,
    mark_executed,
    mark_handled,
    rejected_event,
)
from halimede.rollout.commands import source as source_commands
from halimede.rollout.commands.validate import ends_pin, rejection_reason
from halimede.rollout.context import Check, Decision, RolloutContext, first_decision
from halimede.rollout.events import Event, normal
from halimede.rollout.sizing.pods import actual_weight
from halimede.rollout.steps import remap_steps

ADVANCES: Mapping[State, Callable[[RolloutContext], Decision]] = {
    State.STOPPING: recreate.stopping,
    State.STARTING: progress.starting,
    State.PRIMING: progress.priming,
    State.MIRRORING: pre_traffic.mirroring,
    State.SHIFTING: progress.shifting,
    State.ANALYSING: progress.analysing,
    State.STEP_PAUSED: progress.step_paused,
    State.AWAITING_PROMOTION: pre_traffic.awaiting_promotion,
    State.SCALING_UP: progress.scaling_up,
    State.PROMOTING: progress.promoting,
    State.BAKING: bake.baking,
}
RETREATS: Mapping[State, Callable[[RolloutContext], Decision]] = {
    State.ABORTING: abort.aborting,
    State.ABORT_DRAINING: abort.abort_draining,
    State.DRAINING: abort.draining,
}


RECREATES: Mapping[State, Callable[[RolloutContext], Decision]] = {
    State.STARTING: recreate.starting,
    State.ABORT_DRAINING: recreate.abort_draining,
}
"""The checks that differ for the strategy Recreate."""


def going_back(ctx: RolloutContext) -> Decision | None:
    """Run the state's check if traffic goes back or a revision is drained; nothing holds that."""
    return _run_state_check(ctx) if ctx.rollout.state in RETREATS else None


def advancing(ctx: RolloutContext) -> Decision:
    """Run the check of the rollout's state."""
    return _run_state_check(ctx)


def _run_state_check(ctx: RolloutContext) -> Decision:
    state = ctx.rollout.state
    overrides = RECREATES if ctx.rollout.strategy is Strategy.RECREATE else {}
    check = overrides.get(state) or ADVANCES.get(state) or RETREATS[state]
    return check(ctx)


IDLE: tuple[Check, ...] = start.IDLE
"""The checks while no rollout is under way, in this order."""
CHECKS: tuple[Check, ...] = (
    going_back,
    *SAFETY,
    *HOLDING,
    cluster_capacity.yield_stable_pod,
    pre_traffic.promoted_early,
    progress.promote_commanded,
    progress.promote_full_commanded,
    progress.promote_full_force_commanded,
    advancing,
)
"""The checks of a rollout under way, in this order."""
RECREATE_CHECKS: tuple[Check, ...] = (
    going_back,
    safety.aborted_by_command,
    recreate.pause_forgotten,
    safety.aborted_by_evidence,
    safety.reverted,
    recreate.superseded,
    safety.record_invalid,
    safety.stayed_unready,
    safety.crashed,
    recreate.past_deadline,
    safety.route_past_deadline,
    safety.no_data_for_too_long,
    safety.metrics_down_for_too_long,
    scaled_to_zero,
    recreate.paused,
    recreate.lost_its_pods,
    progress.promote_full_force_commanded,
    advancing,
)
"""The checks of a rollout by Recreate, in this order; few of them hold it during the outage."""


def advance(ctx: RolloutContext) -> Decision:
    """Decide what one reconcile changes, from facts and status alone."""
    ctx = replace(ctx, status=record_observations(ctx))
    command = ctx.command
    if command is None:
        return _first_decision(ctx)
    if why := rejection_reason(ctx, command):
        decision = _first_decision(replace(ctx, command=None))
        events = (*decision.events, rejected_event(command, why))
        return replace(decision, status=mark_handled(decision.status, command), events=events)
    if (recorded := _record_command(ctx, command)) is not None:
        status, events = recorded
        executed = mark_executed(status, command, ctx.status, ctx.now)
        after = _first_decision(replace(ctx, status=executed, command=None))
        return _report_execution(replace(after, events=(*events, *after.events)))
    decision = _first_decision(ctx)
    if not decision.handled:
        return decision
    executed = mark_executed(decision.status, command, ctx.status, ctx.now)
    return _report_execution(replace(decision, status=executed))


def advance_unresolved(ctx: RolloutContext) -> Decision:
    """Decide what one reconcile changes while no revision is known: only commands change it."""
    command = ctx.command
    if command is None:
        return Decision(ctx.status)
    if why := rejection_reason(ctx, command):
        return Decision(mark_handled(ctx.status, command), (rejected_event(command, why),))
    recorded = _record_command(ctx, command)
    if recorded is None:
        return Decision(ctx.status)
    status, events = recorded
    executed = mark_executed(status, command, ctx.status, ctx.now)
    return _report_execution(Decision(executed, events))


def _report_execution(decision: Decision) -> Decision:
    """Add the Event of the command that was executed last."""
    event = executed_event(decision.status.commands[-1])
    return replace(decision, events=(event, *decision.events))


def _record_command(
    ctx: RolloutContext, command: Command
) -> tuple[Status, tuple[Event, ...]] | None:
    """Execute a command that only changes records of the status; None: a check executes it."""
    match command.verb:
        case Verb.RETRY:
            status = source_commands.forget_failure(ctx) or start.forget_failure(ctx)
            return None if status is None else (status, ())
        case Verb.ABORT if (status := source_commands.give_up(ctx)) is not None:
            return status, ()
        case Verb.ROLLBACK if not revision_history.rollback_is_abort(ctx, command):
            return revision_history.pin(ctx, command)
        case Verb.RESUME if ends_pin(ctx.status):
            return revision_history.unpin(ctx)
        case Verb.PAUSE | Verb.RESUME:
            return _set_paused(ctx, pause=command.verb is Verb.PAUSE)
        case _:
            return None


def _set_paused(ctx: RolloutContext, *, pause: bool) -> tuple[Status, tuple[Event, ...]]:
    change, verb, reason = (
        (pauses.pause, "paused", EventReason.ROLLOUT_PAUSED)
        if pause
        else (pauses.resume, "resumed", EventReason.ROLLOUT_RESUMED)
    )
    rollout = change(ctx.rollout, ctx.now)
    event = normal(
        reason,
        f"The rollout of revision {rollout.revision} was {verb} by command at {rollout.weight} %.",
    )
    return ctx.status.evolve(rollout=rollout), (event,)


def _first_decision(ctx: RolloutContext) -> Decision:
    rollout = ctx.status.rollout
    if rollout is None:
        checks = IDLE
    else:
        checks = RECREATE_CHECKS if rollout.strategy is Strategy.RECREATE else CHECKS
    return first_decision(checks, ctx) or Decision(ctx.status)


def record_observations(ctx: RolloutContext) -> Status:
    """Return the status with what this reconcile observed, before anything is decided."""
    status, now = ctx.status, ctx.now
    target = ctx.goal.target
    if status.target is None or status.target.revision != target:
        status = status.evolve(target=RevisionStatus(revision=target, since=now))
    warm = tuple(entry for entry in status.warm_revisions if entry.warm_until > now)
    if warm != status.warm_revisions:
        status = status.evolve(warm_revisions=warm)
    status = revision_history.trim_history(
        revision_history.expire_pin(status, ctx.goal), ctx.settings
    )
    status = route_conflict.record_write(status, ctx.facts.route.foreign_write, now)
    rollout = status.rollout
    if rollout is None:
        return status
    if rollout.weight_applied_at is None and ctx.route_live:
        rollout = rollout.evolve(weight_applied_at=now)
    rollout = cluster_capacity.track_capacity(rollout, ctx)
    rollout = route_conflict.track_blocked(rollout, ctx.facts.route, now)
    rollout = pauses.track_spec_pause(rollout, ctx.settings, now)
    rollout = remap_steps(rollout, ctx.settings, now)
    rollout = recreate.track_readiness(rollout, ctx)
    if rollout.actual_weight != actual_weight(ctx):
        rollout = rollout.evolve(actual_weight=actual_weight(ctx))
    return status if rollout is status.rollout else status.evolve(rollout=rollout)
