"""The thresholds of the judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log

from halimede.api.analysis import Analysis, Pace
from halimede.api.sources import Source, SourceId, metric_source
from halimede.judge.reading import sources

ALPHA = 0.01
"""Maximum fraction of rollouts that are aborted although the canary is as good as stable."""
BETA = 0.05
"""Maximum fraction of rollouts that pass a step although the canary is at the step's level."""
TESTS = 3
"""Number of tests against the canary on each source: it is worse than stable, over the ceiling,
or, in the bake, over the ceiling from the baseline."""
MIN_ERRORS = 2
MIN_POLLS = 3
"""Minimum number of polls to pass or to abort."""
MIN_POLLS_AGAINST = 4
"""To abort, this many polls must have raised the odds against the canary to a new maximum over
`BAKE_HOLD`; if it fails most of its requests, `MIN_POLLS` suffice. A burst of errors of 30 s spans
three polls of 15 s."""
SEVERE = 0.5
"""Share of failed requests above which a canary fails most of its requests."""
STEP_HOLD = log(20)
"""A canary with odds of 20 to 1 against it may not advance."""
BAKE_HOLD = log(3)
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
    """The limits that a rollout's settings set for the tests."""

    sources: tuple[SourceId, ...]
    ceiling: float
    """The error rate that a canary may not exceed, whatever stable's is."""
    others: Mapping[SourceId, float] = field(default_factory=dict)
    """Ceilings of the sources that count other failures than errors, or other requests."""

    def ceiling_of(self, source: SourceId) -> float:
        """Return the ceiling of a source."""
        return self.others.get(source, self.ceiling)

    @property
    def tests(self) -> int:
        """Number of tests on all sources."""
        return TESTS * len(self.sources)

    @property
    def stop(self) -> float:
        """Logarithm of the odds that abort: the mean odds of all tests on all sources.

        The mean of test martingales is a test martingale too, however they depend on each other.
        So a canary as good as stable is aborted in at most `ALPHA` of the rollouts, however many
        polls there are (Ville). A single test against the canary needs `tests` times these odds.
        The bake's test begins late, but with a ceiling that is fixed before, so this holds for it
        too.
        """
        return log(1 / ALPHA) - ROUNDING

    @property
    def cap(self) -> float:
        """The most that one poll may add to the odds, so that one bad scrape never aborts.

        Two never do, even if all tests agree; three can, even if only one test has odds.
        """
        return min(log(self.tests / ALPHA) / MIN_POLLS, (log(1 / ALPHA) - MARGIN) / 2)

    @property
    def certify(self) -> float:
        """Logarithm of the odds at which a step passes."""
        return log(1 / BETA) - ROUNDING


def lowest(polls: int) -> float:
    """Return the lowest value of a bet against the canary, as logarithm, after *polls* polls.

    Hours of good polls must not delay the abort of a canary that fails now. The floor adds at most
    1/1000 to the stake per poll, and less after the hundredth. So after n polls the stake, and
    with it the fraction of good canaries that are aborted, is at most
    1 + (1 + log(n / 100)) / 10 times the one without a floor: 1.2 in an hour, 1.7 in a week.
    """
    return -log(LOWEST_PART * max(polls, LOWEST_POLLS))


def limits(analysis: Analysis) -> Limits:
    """Compute the limits from the settings. Ceilings are clamped to between 0.01 % and 95 %."""
    others: dict[SourceId, float] = {}
    if analysis.latency is not None:
        others[Source.ROUTER_LATENCY] = _ceiling(analysis.latency.max_slow_percent)
    for metric in analysis.metrics:
        others[metric_source(metric.name)] = _ceiling(
            metric.max_error_percent or analysis.max_error_percent
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
    """Compute the level of each step.

    A step's weight bounds the harm it can do, so the levels become stricter with the steps, down
    to `maxErrorRatio` times stable's rate at the last one.

    Args:
        analysis: The rollout's settings.
        steps: The number of steps.
        stable_rate: Stable's error rate before the rollout; None if it had too few requests, so
            that *ceiling* is the last level.
        ceiling: The error rate that is bad whatever stable's is.
    """
    last = ceiling
    if stable_rate is not None:
        last = min(ceiling, max(LOWEST_LEVEL, float(analysis.max_error_ratio) * stable_rate))
    slope = _SLOPES[analysis.pace]
    top = max(last, slope.top)
    return tuple(
        round(min(top, last * slope.ratio ** (steps - 1 - step)), 6) for step in range(steps)
    )
