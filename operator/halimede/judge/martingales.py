"""Test martingales on error counts.

Each is a bet against a null hypothesis such as "the canary is fine": as long as that holds, its
expected value never rises, so by Ville's inequality it ever reaches 1/alpha with probability alpha
at most, however often one looks. All values are natural logarithms.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import exp, inf, log, log1p, sqrt

from halimede.judge.reading import Counts

RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""How many times as many errors as stable the canary may make, each a bet of its own."""

DEVIATIONS = 1.5
"""Per poll, a bet counts at most its expected errors, this many standard deviations more..."""
FEW = 2
"""...and this many errors more."""

CONFIRMING_RATIOS = (2.0, 5.0, 20.0, 100.0)
"""Ratios of the comparison that confirms a one-sample test."""

PASS_FACTORS = (0.9, 0.75, 0.5, 0.25, 0.1, 0.02)
"""Error rates, as parts of a level, on which a certificate for that level bets. The first two win
where the true rate is close to the level: a bet on `f` times the level wins up to about
`(f - 1) / log(f)` times the level, which is 0.95 for the first and 0.72 for the third."""
PASS_STAKES = (0.05, 0.05, 0.225, 0.225, 0.225, 0.225)
"""Weight of each of these bets in the mixture; the first two are rarely needed."""

BETTER = 0.8
"""Null hypothesis of the certificate that the canary is better: at least this many times stable's
error rate."""
BETTER_FACTORS = (0.75, 0.5, 0.25, 0.1)
"""Error rates, as parts of that, on which the certificate bets."""

NEARLY_ALL = 0.95
HIGHEST_RATE = 0.98
"""Stands for all error rates above `NEARLY_ALL`."""


def compare(
    canary: Counts,
    stable: Counts,
    ratios: Sequence[float],
    null: float = 1.0,
    most: Sequence[float] | None = None,
) -> tuple[float, ...]:
    """Bet that the canary's error rate is each of *ratios* times stable's, against *null* times.

    Stable's own rate is unknown and may vary. Given an error, the question is whose it was. With
    pi the canary's part of the requests, a canary k times as bad makes
    q_k = k pi / (1 - pi + k pi) of the errors. For independent Bernoulli requests and any common
    rate, this is a supermartingale under "at most *null* times" if all ratios are above *null*,
    and under "at least *null* times" if all are below it. Without requests on either side nothing
    is bet. Where *most* is given, the bet on each ratio counts that many errors of the canary at
    most, which lowers what it wins and so keeps it fair.
    """
    if not canary.requests or not stable.requests:
        return (0.0,) * len(ratios)
    share = canary.requests / (canary.requests + stable.requests)
    base = 1 - share + null * share
    counted = most or (inf,) * len(ratios)
    bets = []
    for ratio, bound in zip(ratios, counted, strict=True):
        blend = (1 - share + ratio * share) / base
        errors = min(canary.errors, bound)
        bets.append(errors * log(ratio / null / blend) - stable.errors * log(blend))
    return tuple(bets)


def log_e_worse(canary: Counts, stable: Counts, rate: float, phi: float) -> tuple[float, ...]:
    """Bet that the canary errs more often than stable.

    Each bet counts only about as many errors as its ratio predicts. Otherwise a burst would raise
    the bets on low ratios, which fall slowly after it.

    Args:
        canary: What was counted of the canary.
        stable: What was counted of stable.
        rate: Stable's error rate: the usual, the recent or the present one, whichever is highest.
        phi: The dispersion of errors.
    """
    expected = [ratio * rate * canary.requests for ratio in RATIOS]
    most = [mean + DEVIATIONS * sqrt(phi * mean) + FEW for mean in expected]
    return compare(canary, stable, RATIOS, most=most)


def confirm(canary: Counts, stable: Counts) -> tuple[float, ...]:
    """Bet that the canary errs more often than stable, on fewer ratios."""
    return compare(canary, stable, CONFIRMING_RATIOS)


def no_worse(canary: Counts, stable: Counts, tolerated: float) -> tuple[float, ...]:
    """Bet that the canary makes fewer than *tolerated* times the errors of stable."""
    return compare(canary, stable, [tolerated * one for one in PASS_FACTORS], tolerated)


def better(canary: Counts, stable: Counts) -> tuple[float, ...]:
    """Bet that the canary makes less than `BETTER` of the errors of stable."""
    return compare(canary, stable, [BETTER * one for one in BETTER_FACTORS], BETTER)


@lru_cache(maxsize=128)
def ceiling_rates(ceiling: float) -> tuple[float, ...]:
    """List the rates above *ceiling* that `over` bets on."""
    rates = []
    rate = ceiling * 1.5
    while rate < NEARLY_ALL:
        rates.append(rate)
        rate *= 1.6
    return (*rates, HIGHEST_RATE)


def log_e_above(canary: Counts, ceiling: float) -> tuple[float, ...]:
    """Bet that the canary's error rate is above *ceiling*, one bet per `ceiling_rates`."""
    return tuple(_bernoulli(canary, rate, ceiling) for rate in ceiling_rates(ceiling))


def log_e_below(canary: Counts, level: float) -> tuple[float, ...]:
    """Bet that the canary's error rate is below *level*: what makes a certificate."""
    return tuple(_bernoulli(canary, factor * level, level) for factor in PASS_FACTORS)


def certificate(canary: Counts, level: float, phi: float, relative: Sequence[float] = ()) -> float:
    """Compute the logarithm of the odds for an error rate of the canary below *level*.

    Args:
        canary: What was counted while stable was as usual.
        level: The error rate to exclude.
        phi: The dispersion of errors. Dividing by it takes back what clustered errors pretend.
        relative: What the bets of `no_worse` have won while stable was not as usual, divided by
            the dispersion already. Empty: stable always was.
    """
    bets = [bet / phi for bet in log_e_below(canary, level)]
    if relative:
        bets = [bet + more for bet, more in zip(bets, relative, strict=True)]
    return log_mixture(bets, PASS_STAKES)


def log_mixture(logs: Iterable[float], stakes: Sequence[float] | None = None) -> float:
    """Compute the logarithm of the mean of the values of all bets.

    Args:
        logs: Their logarithms.
        stakes: The part of the capital that is put on each; None: equal parts.

    >>> log_mixture((0.0, 0.0))
    0.0
    """
    values = tuple(logs)
    if not values:
        return 0.0
    top, parts = max(values), stakes or (1 / len(values),) * len(values)
    shares = (part * exp(value - top) for value, part in zip(values, parts, strict=True))
    return top + log(sum(shares))


def _bernoulli(counts: Counts, rate: float, null: float) -> float:
    good = counts.requests - counts.errors
    return counts.errors * log(rate / null) + good * (log1p(-rate) - log1p(-null))
