"""When the next reconcile is due: the earliest time at which time alone changes a decision."""

from collections.abc import Iterator

from halimede.api.rollout import Rollout
from halimede.api.status import RolloutStatus, State, Status
from halimede.rollout.analysis_schedule import due_at
from halimede.rollout.checks.abort import SUPERSEDED_DRAIN_SECONDS
from halimede.rollout.checks.safety import ROUTE_DEADLINE_SECONDS, UNREADY_GRACE_SECONDS
from halimede.rollout.checks.waits import ROUTE_WAIT_SECONDS
from halimede.rollout.pauses import timeout_at
from halimede.rollout.route_conflict import ends_at
from halimede.rollout.steps import analysis_deadline, bake_seconds, current_step


def requeue_after(status: Status, settings: Rollout, now: float) -> float | None:
    """Return the seconds until the next reconcile; None if only an event can change anything.

    Times in the past have been decided on in this reconcile, so only future times count.
    """
    moments = [revision.warm_until for revision in status.warm_revisions]
    if status.foreign_writes is not None:
        moments.append(ends_at(status.foreign_writes))
    if status.rollout is not None:
        moments.extend(_rollout_times(status.rollout, settings))
    ahead = [moment - now for moment in moments if moment > now]
    return min(ahead, default=None)


def _rollout_times(rollout: RolloutStatus, settings: Rollout) -> Iterator[float]:
    yield rollout.last_progress_at + settings.progress_deadline_seconds
    if rollout.weight_applied_at is not None:
        yield rollout.weight_applied_at + settings.analysis.settle_seconds
    else:
        yield (rollout.control_dropped_at or rollout.last_progress_at) + ROUTE_WAIT_SECONDS
        yield rollout.last_progress_at + ROUTE_DEADLINE_SECONDS
    if rollout.unready_since is not None:
        yield rollout.unready_since + UNREADY_GRACE_SECONDS
    if (moment := timeout_at(rollout, settings)) is not None:
        yield moment
    if rollout.capacity_since is not None:
        yield rollout.capacity_since + settings.capacity_timeout_seconds
    evidence = rollout.evidence
    if evidence is not None and evidence.no_data_since is not None:
        yield evidence.no_data_since + settings.analysis.no_data_timeout_seconds
    if evidence is not None and evidence.metrics_down_since is not None:
        yield evidence.metrics_down_since + settings.analysis.metrics_timeout_seconds
    yield from _state_times(rollout, settings)
    yield from _judge_times(rollout, settings)


def _state_times(rollout: RolloutStatus, settings: Rollout) -> Iterator[float]:
    if rollout.state is State.ABORT_DRAINING:
        yield rollout.state_since + SUPERSEDED_DRAIN_SECONDS
        yield rollout.state_since + settings.abort_scale_down_delay_seconds
    step = current_step(rollout, settings)
    if rollout.state is State.ANALYSING and step and rollout.step_started_at is not None:
        yield rollout.step_started_at + step.min_seconds
    if rollout.state is State.STEP_PAUSED and step and step.pause and step.pause.seconds:
        yield rollout.last_progress_at + step.pause.seconds
    if rollout.state is State.BAKING:
        yield rollout.last_progress_at + bake_seconds(rollout.strategy, settings)


def _judge_times(rollout: RolloutStatus, settings: Rollout) -> Iterator[float]:
    due = due_at(rollout, settings)
    if due is not None:
        yield due
    if (until := analysis_deadline(rollout, settings)) is not None:
        yield until
