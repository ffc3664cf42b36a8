"""The figures that the judge decides by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log

from halimede.api.analysis import Analysis, Pace
from halimede.api.sources import Source, SourceId, metric_source
from halimede.judge.reading import sources

ALPHA = 0.01
"""A canary as good as stable is stopped in no more than this part of rollouts."""
BETA = 0.05
"""A canary at a step's level passes that step in no more than this part of rollouts."""
TESTS = 3
"""Each source is asked so many times whether it speaks against the canary: is it worse than
stable, over the ceiling, or, in the bake, over what stable's past allows for?"""
MIN_ERRORS = 2
MIN_POLLS = 3
"""A canary can neither pass nor be stopped by fewer polls."""
MIN_POLLS_AGAINST = 4
"""To abort, this many polls must have raised the odds against the canary to a new maximum over
`DOUBT`; if it fails most of its requests, `MIN_POLLS` suffice. A burst of errors of 30 s spans
three polls of 15 s."""
SEVERE = 0.5
"""Share of failed requests above which a canary fails most of its requests."""
SUSPICION = log(20)
"""A canary with odds of 20 to 1 against it may not advance."""
DOUBT = log(3)
"""A canary with odds of 3 to 1 against it does not leave the bake."""
CONFIRMATION = log(1 / ALPHA)
"""A canary over a ceiling is aborted only if it is also worse than stable since then, with these
odds, provided that stable has requests. Otherwise both may fail for the same cause."""
CLIENT_ERRORS = log(1 / ALPHA) - 1e-5
"""A canary with these odds for more client errors than stable is held or stopped."""
LOWEST_POLLS = 100
LOWEST_PART = 10
"""See `lowest`."""
ROUNDING = 1e-5
"""Stored logarithms are rounded to 1e-6: polls at the cap must still reach the bound."""
MARGIN = 1e-3
"""Distance kept from a bound that must not be reached."""
LOWEST_LEVEL = 0.01
LOWEST_CEILING = 0.0001
HIGHEST_CEILING = 0.95


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rollout's settings mean for the tests."""

    sources: tuple[SourceId, ...]
    ceiling: float
    """The error rate that a canary may not exceed, whatever stable does."""
    others: Mapping[SourceId, float] = field(default_factory=dict)
    """The same for sources that tell of something else than errors, or of other requests."""

    def ceiling_of(self, source: SourceId) -> float:
        """Say which part of its requests may be bad by this source."""
        return self.others.get(source, self.ceiling)

    @property
    def tests(self) -> int:
        """How many tests there are on all sources."""
        return TESTS * len(self.sources)

    @property
    def stop(self) -> float:
        """Logarithm of the odds that stop: those of all tests on all sources together.

        The mean of test martingales is one too, whatever they have in common, so that an equal is
        stopped in no more than `ALPHA` of the rollouts however often one looks (Ville). A test
        that is alone in its opinion needs `tests` times these odds. The bake's test begins late,
        with a ceiling that was fixed by then, so it is one of them.
        """
        return log(1 / ALPHA) - ROUNDING

    @property
    def cap(self) -> float:
        """What one poll may add to the odds at most: one bad scrape never stops a rollout.

        Two never do, even if all tests agree, and three do, even if only one test finds anything.
        """
        return min(log(self.tests / ALPHA) / MIN_POLLS, (log(1 / ALPHA) - MARGIN) / 2)

    @property
    def certify(self) -> float:
        """Logarithm of the odds that let a step pass."""
        return log(1 / BETA) - ROUNDING


def lowest(polls: int) -> float:
    """Say how low a bet against the canary may fall, as logarithm, after so many polls.

    Hours of good polls must not delay the abort of a canary that fails now. A poll adds 1/1000
    to the stake at most by this, and less after the hundredth, so that after n polls the stake,
    and with it the part of equals that are stopped, is no more than
    1 + (1 + log(n / 100)) / 10 times what it would be: 1.2 in an hour, 1.7 in a week.
    """
    return -log(LOWEST_PART * max(polls, LOWEST_POLLS))


def limits(analysis: Analysis) -> Limits:
    """Read the settings; a ceiling of 0 is taken as 0.01 %, and one over 95 % as 95 %."""
    others: dict[SourceId, float] = {}
    if analysis.latency is not None:
        others[Source.ROUTER_LATENCY] = _ceiling(analysis.latency.max_slow_percent)
    for one in analysis.metrics:
        others[metric_source(one.name)] = _ceiling(
            one.max_error_percent or analysis.max_error_percent
        )
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
    analysis: Analysis, steps: int, stable_rate: float | None, ceiling: float
) -> tuple[float, ...]:
    """Fix the error rate that each step's certificate must exclude.

    The harm that a step can do is bounded by its weight, so the demand rises with the steps, up to
    `maxErrorRatio` times stable's rate at the last one.

    Args:
        analysis: the rollout's settings.
        steps: how many steps there are.
        stable_rate: stable's error rate before the rollout; None if too few requests tell it,
            which leaves *ceiling* as the last demand.
        ceiling: the error rate that is bad whatever stable does.
    """
    last = ceiling
    if stable_rate is not None:
        last = min(ceiling, max(LOWEST_LEVEL, float(analysis.max_error_ratio) * stable_rate))
    slope = _SLOPES[analysis.pace]
    top = max(last, slope.top)
    return tuple(
        round(min(top, last * slope.ratio ** (steps - 1 - step)), 6) for step in range(steps)
    )
