"""Which step a rollout is at, also after the steps were edited while it was under way."""

from math import ceil
from typing import Any

from halimede.api.rollout import CapacityMode, Mirror, Rollout, Stage, Step, Strategy
from halimede.api.status import Outcome, RolloutStatus, State
from halimede.rollout.pace import pace_defaults
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.states import AT_STEP_WEIGHT, PRE_TRAFFIC

LEAST_CONTROL, MOST_CONTROL = 10, 50
"""Bounds of a canary's control share in percent, if the spec does not set it."""
CONTROL_REQUESTS, CONTROL_SECONDS = 150, 300
"""The control share is chosen to give the stable revision this many requests in this time."""


def skips_steps(rollout: RolloutStatus) -> bool:
    """Whether there are no steps: back to an earlier revision, or after `promote-full`."""
    return rollout.steps == 0 or rollout.outcome is Outcome.FAST_PROMOTED


def is_stepwise(rollout: RolloutStatus) -> bool:
    """Whether the revision is scaled with its weight, instead of starting at full scale."""
    return rollout.strategy is Strategy.CANARY and not skips_steps(rollout)


def bake_seconds(strategy: Strategy, settings: Rollout) -> int:
    """Return how many seconds a rollout by *strategy* bakes."""
    match strategy:
        case Strategy.CANARY:
            seconds = settings.canary.bake_seconds
            return pace_defaults(settings).bake_seconds if seconds is None else seconds
        case Strategy.BLUE_GREEN:
            return settings.blue_green.bake_seconds
        case Strategy.RECREATE:
            return settings.recreate.bake_seconds


def control_percent(rollout: RolloutStatus, settings: Rollout, *, by_pods: bool) -> int:
    """Return the percentage of requests that the bake leaves on the stable revision.

    It is 0 if no router splits the traffic (*by_pods*), if `capacityMode` is `Replace`, if there
    is no bake, or if the rollout skips the steps, as such a rollout is meant to take all traffic
    off the stable revision.
    """
    if rollout.control_dropped_at is not None or bake_skipped(rollout, settings):
        return 0
    if skips_steps(rollout):
        return 0
    per_second = rollout.evidence.requests_per_second if rollout.evidence else None
    return usual_control_percent(rollout.strategy, settings, per_second, by_pods=by_pods)


def usual_control_percent(
    strategy: Strategy, settings: Rollout, per_second: float | None, *, by_pods: bool
) -> int:
    """Return the percentage that the bake leaves on the stable revision, if nothing prevents that.

    If the spec does not set it, it is the smallest share that gives the stable revision enough
    requests for a comparison, within bounds.

    Args:
        strategy: Of the rollout.
        settings: Of the rollout.
        per_second: Requests per second to the model as a whole; None: unknown.
        by_pods: No router splits the requests.
    """
    if by_pods or settings.capacity_mode is CapacityMode.REPLACE:
        return 0
    match strategy:
        case Strategy.CANARY:
            percent = settings.canary.control_percent
            return _canary_control(per_second) if percent is None else percent
        case Strategy.BLUE_GREEN:
            return settings.blue_green.control_percent
        case Strategy.RECREATE:
            return 0


def _canary_control(per_second: float | None) -> int:
    if not per_second:
        return LEAST_CONTROL
    enough = ceil(FULL_WEIGHT * CONTROL_REQUESTS / (per_second * CONTROL_SECONDS))
    return min(max(enough, LEAST_CONTROL), MOST_CONTROL)


def bake_skipped(rollout: RolloutStatus, settings: Rollout) -> bool:
    """Whether the new revision becomes stable as soon as it has all requests."""
    return rollout.skip_analysis or bake_seconds(rollout.strategy, settings) == 0


def current_step(rollout: RolloutStatus, settings: Rollout) -> Step | None:
    """Return the canary step that a rollout is at; None if there are no steps."""
    if not is_stepwise(rollout):
        return None
    return settings.canary.steps[min(rollout.step, len(settings.canary.steps) - 1)]


def mirror_due(rollout: RolloutStatus, settings: Rollout) -> Mirror | None:
    """Return the mirror that a revision gets before its first weight; None if it gets none."""
    if not is_stepwise(rollout) or rollout.weight or rollout.mirrored_at is not None:
        return None
    return settings.canary.mirror


def analysis_deadline(rollout: RolloutStatus, settings: Rollout) -> float | None:
    """Return until when the rollout waits for the judge; None if it does not wait for it now.

    At a step it waits from the start, and again after the step's pause.
    """
    stage = _stage(rollout, settings)
    since = _analysis_started_at(rollout, settings) if stage else None
    return None if stage is None or since is None else since + stage.max_seconds


def _stage(rollout: RolloutStatus, settings: Rollout) -> Stage | None:
    if rollout.state is State.MIRRORING:
        return settings.canary.mirror
    if rollout.state is State.AWAITING_PROMOTION:
        blue_green = settings.blue_green
        return blue_green.preview_analysis if blue_green.auto_promote else None
    return current_step(rollout, settings) if rollout.weight else None


def _analysis_started_at(rollout: RolloutStatus, settings: Rollout) -> float | None:
    if rollout.state in PRE_TRAFFIC or rollout.state is State.ANALYSING:
        return rollout.step_started_at
    step = current_step(rollout, settings)
    if rollout.state is not State.STEP_PAUSED or step is None:
        return None
    if step.pause is None:
        return rollout.last_progress_at
    seconds = step.pause.seconds
    return None if seconds is None else rollout.last_progress_at + seconds


def earliest_pass(rollout: RolloutStatus, settings: Rollout) -> float | None:
    """Return from when on a verdict lets the rollout go on; None if it does not wait for one."""
    stage, since = _stage(rollout, settings), _analysis_started_at(rollout, settings)
    if stage is None or since is None:
        return None
    return since if rollout.state is State.STEP_PAUSED else since + stage.min_seconds


def remap_steps(rollout: RolloutStatus, settings: Rollout, now: float) -> RolloutStatus:
    """Put a rollout at the first of the edited steps whose weight is not below the current one.

    The weight never falls and its evidence is kept.
    """
    if not is_stepwise(rollout) or not _steps_edited(rollout, settings.canary.steps):
        return rollout
    steps = settings.canary.steps
    enough = (index for index, step in enumerate(steps) if step.weight >= rollout.weight)
    index = next(enough, len(steps) - 1)
    changes: dict[str, Any] = {"step": index, "steps": len(steps)}
    if rollout.state in AT_STEP_WEIGHT and steps[index].weight > rollout.weight:
        changes |= {"state": State.SHIFTING, "state_since": now, "last_progress_at": now}
    remapped = rollout.evolve(**changes)
    return rollout if remapped == rollout else remapped


def _steps_edited(rollout: RolloutStatus, steps: tuple[Step, ...]) -> bool:
    if rollout.steps != len(steps):
        return True
    return rollout.state in AT_STEP_WEIGHT and steps[rollout.step].weight != rollout.weight
