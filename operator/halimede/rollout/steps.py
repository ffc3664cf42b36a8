"""Steps that are edited while a rollout is under way."""

from typing import Any

from halimede.api.rollout import Rollout, Step
from halimede.api.status import RolloutStatus, State
from halimede.rollout.scene import starts_small


def refitted(rollout: RolloutStatus, settings: Rollout, now: float) -> RolloutStatus:
    """Put a rollout at the first of the edited steps that asks for no less than it gives.

    Its weight never falls and its evidence is kept.
    """
    if not starts_small(rollout) or not _edited(rollout, settings.canary.steps):
        return rollout
    steps = settings.canary.steps
    enough = (index for index, step in enumerate(steps) if step.weight >= rollout.weight)
    index = next(enough, len(steps) - 1)
    changes: dict[str, Any] = {"step": index, "steps": len(steps)}
    if rollout.state is State.ANALYSING and steps[index].weight > rollout.weight:
        changes |= {"state": State.SHIFTING, "state_since": now, "last_progress_at": now}
    refit = rollout.model_copy(update=changes)
    return rollout if refit == rollout else refit


def _edited(rollout: RolloutStatus, steps: tuple[Step, ...]) -> bool:
    if rollout.steps != len(steps):
        return True
    return rollout.state is State.ANALYSING and steps[rollout.step].weight != rollout.weight
