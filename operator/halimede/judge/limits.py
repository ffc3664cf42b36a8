"""The figures that the judge decides by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log

from halimede.api.rollout import Analysis, Pace
from halimede.judge.reading import METRICS, Source, sources

ALPHA = 0.01
"""A canary as good as stable is stopped in no more than this part of rollouts."""
BETA = 0.05
"""A canary at a step's level passes that step in no more than this part of rollouts."""
TESTS = 3
"""Each source is asked so many times whether it speaks against the canary: is it worse than
stable, over the ceiling, or, in the bake, over what stable's past allows for?"""
MIN_ERRORS = 2
MIN_POLLS = 3
SUSPICION = log(20)
"""A canary with odds of 20 to 1 against it may not advance."""
DOUBT = log(3)
"""With odds of 3 to 1 or more against a canary its bake does not end."""
LOWEST = -15.0
"""No bet against a canary falls lower, as logarithm: what it did well for days must not hide for
days that it does badly now. A poll adds e^-15 to the stake at most by this, so that the part of
good canaries that are stopped grows by a third in a million polls, which take half a year."""
ROUNDING = 1e-5
"""Stored logarithms are rounded to 1e-6: three polls at the cap must still reach the bound."""
LOWEST_LEVEL = 0.01
LOWEST_CEILING = 0.0001
HIGHEST_CEILING = 0.95


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rollout's settings mean for the tests."""

    sources: tuple[str, ...]
    ceiling: float
    """The error rate that a canary may not exceed, whatever stable does."""
    others: Mapping[str, float] = field(default_factory=dict)
    """The same for sources that tell of something else than errors, or of other requests."""

    def ceiling_of(self, source: str) -> float:
        """Say which part of its requests may be bad by this source."""
        return self.others.get(source, self.ceiling)

    @property
    def stop(self) -> float:
        """Logarithm of the odds that stop.

        Alpha is shared equally by all tests on all sources. Each alone stops an equal in no more
        than its share of rollouts however often one looks (Ville), and the chance that any of
        them does is no more than the sum, whatever they have in common (Boole). The bake's test
        begins late, with a ceiling that was fixed by then, so it is one of them.
        """
        return log(TESTS * len(self.sources) / ALPHA) - ROUNDING

    @property
    def cap(self) -> float:
        """What one poll may add at most, so that one bad scrape never stops a rollout."""
        return log(TESTS * len(self.sources) / ALPHA) / MIN_POLLS

    @property
    def certify(self) -> float:
        """Logarithm of the odds that let a step pass."""
        return log(1 / BETA) - ROUNDING


def limits(analysis: Analysis) -> Limits:
    """Read the settings; a ceiling of 0 is taken as 0.01 %, and one over 95 % as 95 %."""
    others: dict[str, float] = {}
    if analysis.latency is not None:
        others[Source.ROUTER_LATENCY] = _ceiling(analysis.latency.max_slow_percent)
    for one in analysis.metrics:
        others[METRICS + one.name] = _ceiling(one.max_error_percent or analysis.max_error_percent)
    return Limits(sources(analysis), _ceiling(analysis.max_error_percent), others)


def _ceiling(percent: str) -> float:
    return min(max(float(percent) / 100, LOWEST_CEILING), HIGHEST_CEILING)


@dataclass(frozen=True, slots=True)
class _Slope:
    ratio: float
    top: float


_SLOPES = {
    Pace.CAUTIOUS: _Slope(1.5, 0.05),
    Pace.BALANCED: _Slope(2.0, 0.10),
    Pace.SWIFT: _Slope(3.0, 0.20),
}


def levels(
    analysis: Analysis, steps: int, stable_rate: float | None, source: str = Source.ROUTER
) -> tuple[float, ...]:
    """Fix the error rate that each step's certificate must exclude.

    The harm that a step can do is bounded by its weight, so the demand rises with the steps, up to
    `maxErrorRatio` times stable's rate at the last one.

    Args:
        analysis: the rollout's settings.
        steps: how many steps there are.
        stable_rate: stable's error rate before the rollout; None if too few requests tell it,
            which leaves the source's ceiling as the last demand.
        source: whose requests are to show it.
    """
    ceiling = limits(analysis).ceiling_of(source)
    last = ceiling
    if stable_rate is not None:
        last = min(ceiling, max(LOWEST_LEVEL, float(analysis.max_error_ratio) * stable_rate))
    slope = _SLOPES[analysis.pace]
    top = max(last, slope.top)
    return tuple(
        round(min(top, last * slope.ratio ** (steps - 1 - step)), 6) for step in range(steps)
    )
