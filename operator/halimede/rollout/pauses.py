"""Pauses that users start or have to end: how they start, end, and time out."""

from typing import Any

from halimede.api.rollout import Rollout
from halimede.api.status import RolloutStatus, State
from halimede.rollout.steps import current_step


def track_spec_pause(rollout: RolloutStatus, settings: Rollout, now: float) -> RolloutStatus:
    """Record that the spec has started or ended a pause."""
    since = rollout.spec_paused_since
    if settings.paused and since is None:
        return rollout.evolve(spec_paused_since=now)
    if not settings.paused and since is not None:
        return restart_clocks(rollout.evolve(spec_paused_since=None), now)
    return rollout


def pause(rollout: RolloutStatus, now: float) -> RolloutStatus:
    """Pause by command; a second `pause` restarts the timeout."""
    return rollout.evolve(paused_since=now)


def resume(rollout: RolloutStatus, now: float) -> RolloutStatus:
    """End a pause by command."""
    return restart_clocks(rollout.evolve(paused_since=None), now)


def restart_clocks(rollout: RolloutStatus, now: float) -> RolloutStatus:
    """Restart the clocks of deadlines, of the step, and of missing evidence.

    While it was held, the revision had no time to become ready or to be judged.
    """
    changes: dict[str, Any] = {"last_progress_at": now}
    if rollout.step_started_at is not None:
        changes["step_started_at"] = now
    if rollout.capacity_since is not None:
        changes["capacity_since"] = now
    evidence = rollout.evidence
    if evidence is not None:
        clocks = ("no_data_since", "metrics_down_since", "requested_at")
        running = {clock: now for clock in clocks if getattr(evidence, clock) is not None}
        changes["evidence"] = evidence.evolve(**running)
    return rollout.evolve(**changes)


def timeout_at(rollout: RolloutStatus, settings: Rollout) -> float | None:
    """Return when a pause times out; None if there is no pause, or no timeout.

    Of several pauses at a time, the one that started last counts.
    """
    starts = (
        rollout.paused_since,
        rollout.spec_paused_since,
        _awaiting_promote_since(rollout, settings),
    )
    since = [moment for moment in starts if moment is not None]
    if not since or settings.pause_timeout_seconds == 0:
        return None
    return max(since) + settings.pause_timeout_seconds


def _awaiting_promote_since(rollout: RolloutStatus, settings: Rollout) -> float | None:
    """Return since when a step's pause waits for `promote`; None if it does not."""
    step = current_step(rollout, settings)
    if rollout.state is not State.STEP_PAUSED or step is None or step.pause is None:
        return None
    return rollout.last_progress_at if step.pause.seconds is None else None
