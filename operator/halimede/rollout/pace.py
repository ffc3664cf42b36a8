"""The defaults of a canary that depend on `analysis.pace`; what the spec sets is never changed."""

from collections.abc import Iterator
from dataclasses import dataclass

from halimede.api.analysis import Pace
from halimede.api.rollout import BAKE_SECONDS, SWIFT_BAKE_SECONDS, Rollout, Strategy


@dataclass(frozen=True, slots=True)
class PaceDefaults:
    """What a canary has if its spec does not set it."""

    least_weight: int
    """The lowest first weight in percent."""
    first_seconds: int
    """The first weight is chosen to give the new revision enough requests in this time."""
    later_weights: tuple[int, ...]
    """The weights of the steps after the first."""
    min_seconds: int
    """`minSeconds` of every step."""
    bake_seconds: int


USUAL = PaceDefaults(
    least_weight=5,
    first_seconds=300,
    later_weights=(25, 50),
    min_seconds=60,
    bake_seconds=BAKE_SECONDS,
)
"""The defaults of every pace but `Swift`."""
SWIFT = PaceDefaults(
    least_weight=10,
    first_seconds=150,
    later_weights=(30, 60),
    min_seconds=30,
    bake_seconds=SWIFT_BAKE_SECONDS,
)


def pace_defaults(settings: Rollout) -> PaceDefaults:
    """Return the defaults for the pace of the settings."""
    return SWIFT if settings.analysis.pace is Pace.SWIFT else USUAL


def describe_defaults(settings: Rollout, *, steps: bool) -> str:
    """Describe the defaults of the pace `Swift`; empty if none of them applies.

    Args:
        settings: Of the rollout.
        steps: Whether the spec leaves the steps to the default.
    """
    if settings.analysis.pace is not Pace.SWIFT or settings.strategy is not Strategy.CANARY:
        return ""
    changed = "; ".join(_changed_defaults(settings, steps=steps))
    return f"Defaults of the pace Swift: {changed}" if changed else ""


def _changed_defaults(settings: Rollout, *, steps: bool) -> Iterator[str]:
    if steps:
        later = " and ".join(map(str, SWIFT.later_weights))
        yield (
            f"a first weight of at least {SWIFT.least_weight} %, then {later} %, each for at least"
            f" {SWIFT.min_seconds} s"
        )
    if settings.canary.bake_seconds is None:
        yield f"a bake of {SWIFT.bake_seconds} s"
