"""When a ModelDeployment is to be reconciled again, although no event asks for it."""

from collections.abc import Iterator

from halimede.api.conditions import Condition, ConditionType
from halimede.api.status import Status
from halimede.plan.desired import ChildDiff
from halimede.plan.observed import Observed
from halimede.rollout.analysis_schedule import is_due
from halimede.rollout.checks.safety import REJECTED_GRACE_SECONDS
from halimede.rollout.checks.waits import ROUTE_WAIT_SECONDS
from halimede.rollout.context import RolloutContext
from halimede.rollout.requeue import requeue_after

AFTER_WRITES_SECONDS = 1.0
"""Seconds until the next reconcile after writes, while Ready is not True: the writes may cause no
watch event."""


def next_reconcile_after(
    observed: Observed,
    status: Status,
    diff: ChildDiff,
    ctx: RolloutContext,
    source_deadline: float | None,
) -> float | None:
    """Return the seconds until the next reconcile; None if only an event can change anything.

    A status that we write ourselves queues nothing, so a change of the rollout's position requeues
    immediately.

    Args:
        observed: The observed cluster.
        status: The new status, with its conditions.
        diff: The changes of the children.
        ctx: The context of the decision.
        source_deadline: When time alone changes how far the source is resolved; None: never.
    """
    md = observed.deployment
    if _position(md.status) != _position(status) or _next_poll_is_due(observed, status, ctx):
        return 0.0
    return earliest(
        *_deadlines(status, ctx),
        None if source_deadline is None else source_deadline - ctx.now,
        requeue_after(status, ctx.settings, ctx.now),
        AFTER_WRITES_SECONDS if _follows_writes(observed, status, diff) else None,
    )


def _next_poll_is_due(observed: Observed, status: Status, ctx: RolloutContext) -> bool:
    """Whether the answers that were judged took so long that the next poll is due already.

    It has not begun, because an object has one poll at a time.
    """
    if status.rollout is None or observed.reading is None:
        return False
    return is_due(status.rollout, ctx.settings, ctx.now)


def _follows_writes(observed: Observed, status: Status, diff: ChildDiff) -> bool:
    """Whether to requeue after the writes; failed ones are left to the back-off of the queue."""
    unready = ready_condition(status).status != "True"
    return bool(diff.applies) and unready and not observed.apply_errors


def _deadlines(status: Status, ctx: RolloutContext) -> Iterator[float]:
    """Yield the seconds until conditions get worse by time alone."""
    moments = []
    if status.stable is None and status.target is not None and status.target.since is not None:
        moments.append(status.target.since + ctx.settings.progress_deadline_seconds)
    if not ctx.facts.route.accepted and ctx.facts.route.since is not None:
        moments.append(ctx.facts.route.since + ROUTE_WAIT_SECONDS)
    if status.rollout is not None and ctx.facts.workload(status.rollout.revision).rejected:
        moments.append(status.rollout.last_progress_at + REJECTED_GRACE_SECONDS)
    return (moment - ctx.now for moment in moments if moment > ctx.now)


def _position(status: Status) -> tuple[object, ...]:
    rollout = status.rollout
    stable = status.stable and status.stable.revision
    if rollout is None:
        return (stable, status.model, None)
    return (stable, status.model, rollout.id, rollout.state, rollout.step, rollout.weight)


def earliest(*waits: float | None) -> float | None:
    """Return the shortest wait; None if there is none."""
    return min((wait for wait in waits if wait is not None), default=None)


def ready_condition(status: Status) -> Condition:
    """Return the condition Ready, which always exists."""
    return next(one for one in status.conditions if one.type is ConditionType.READY)
