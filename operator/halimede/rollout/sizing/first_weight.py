"""The steps of a canary whose spec has none: the traffic determines the first weight.

A rollout starts at the lowest weight. Once the requests per second are known, the first weight is
raised so that a good revision can pass within minutes. It is chosen once, stored in the status,
and never lowered. The number of steps stays the same, as it fixes the levels of the evidence.
"""

from math import ceil

from halimede.api.reasons import EventReason
from halimede.api.rollout import Rollout, Step
from halimede.api.status import RolloutStatus
from halimede.rollout.events import Event, normal
from halimede.rollout.formatting import about_rate
from halimede.rollout.pace import USUAL, PaceDefaults, pace_defaults
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.steps import is_stepwise

MAX_WEIGHT = 25
"""The highest first weight in percent."""
REQUESTS = 60
"""The first weight is chosen to give the new revision about this many requests in a time that
depends on the pace."""
LATE_SECOND = 35
"""The weight of a second step that is not higher than the first one by default."""


def weight_for(per_second: float, defaults: PaceDefaults = USUAL) -> int:
    """Return the first weight for a number of requests per second to the model as a whole.

    >>> weight_for(10.0), weight_for(1.7), weight_for(0.2)
    (5, 12, 25)
    """
    enough = FULL_WEIGHT * REQUESTS / (per_second * defaults.first_seconds)
    return min(max(ceil(enough), defaults.least_weight), MAX_WEIGHT)


def choose_first_weight(rollout: RolloutStatus, settings: Rollout) -> RolloutStatus:
    """Set the first weight once the traffic is known; *settings* are those of the spec."""
    evidence = rollout.evidence
    if settings.canary.steps or rollout.first_weight is not None or not is_stepwise(rollout):
        return rollout
    if rollout.step > 0 or evidence is None or not evidence.requests_per_second:
        return rollout
    weight = weight_for(evidence.requests_per_second, pace_defaults(settings))
    return rollout.evolve(first_weight=weight)


def effective_settings(settings: Rollout, rollout: RolloutStatus | None) -> Rollout:
    """Return the settings with default steps, by the first weight that *rollout* has, if any."""
    least = pace_defaults(settings).least_weight
    return with_first_weight(settings, (rollout and rollout.first_weight) or least)


def with_first_weight(settings: Rollout, weight: int) -> Rollout:
    """Return the settings with default steps if the spec has none, of which the first is given.

    After it come 25 or 35 and 50 %, or with the pace `Swift` 30 and 60 %.
    """
    if settings.canary.steps:
        return settings
    defaults = pace_defaults(settings)
    later = (LATE_SECOND if percent <= weight else percent for percent in defaults.later_weights)
    least = defaults.min_seconds
    steps = tuple(Step(weight=percent, min_seconds=least) for percent in (weight, *later))
    canary = settings.canary.evolve(steps=steps)
    return settings.evolve(canary=canary)


def report_first_weight(
    before: RolloutStatus | None, after: RolloutStatus | None, settings: Rollout
) -> tuple[Event, ...]:
    """Create the Event for a first weight that was just chosen, if it is not the lowest one."""
    lowest = pace_defaults(settings).least_weight
    if after is None or after.first_weight in (None, lowest) or after.evidence is None:
        return ()
    if before is not None and before.first_weight is not None:
        return ()
    return (
        normal(
            EventReason.FIRST_WEIGHT_CHOSEN,
            f"The first weight of revision {after.revision} is {after.first_weight} %, chosen"
            f" from the traffic of {about_rate(after.evidence.requests_per_second or 0.0)}"
            " requests/s.",
        ),
    )
