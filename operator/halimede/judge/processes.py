"""Test martingales on error counts.

Each is a bet against "the canary is fine" (or, for the certificate, against "it is not"): as long
as that holds, its expected value never rises, so by Ville's inequality it ever reaches 1/alpha
with probability alpha at most, however often one looks. All values are natural logarithms.
"""

from collections.abc import Iterable
from functools import lru_cache
from math import exp, log, log1p

from halimede.judge.reading import Counts

RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""How many times as many errors as stable the canary may make, each a bet of its own."""

PASS_FACTORS = (0.5, 0.25, 0.1, 0.02)
"""Error rates, as parts of a level, on which a certificate for that level bets."""

NEARLY_ALL = 0.95
HIGHEST_RATE = 0.98
"""Stands for all error rates above `NEARLY_ALL`."""


def worse(canary: Counts, stable: Counts) -> tuple[float, ...]:
    """Bet that the canary errs more often than stable, whose rate is unknown and may vary.

    Given an error, the question is whose it was. With pi the canary's part of the requests, a
    canary k times as bad makes q_k = k pi / (1 - pi + k pi) of the errors, and an equal one pi.
    Two independent Bernoulli streams make this a supermartingale for any common rate.
    """
    if not canary.requests or not stable.requests:
        return (0.0,) * len(RATIOS)
    share = canary.requests / (canary.requests + stable.requests)
    bets = []
    for ratio in RATIOS:
        blend = 1 - share + ratio * share
        bets.append(canary.errors * log(ratio / blend) - stable.errors * log(blend))
    return tuple(bets)


@lru_cache(maxsize=128)
def ceiling_rates(ceiling: float) -> tuple[float, ...]:
    """List the rates above *ceiling* that `over` bets on."""
    rates = []
    rate = ceiling * 1.5
    while rate < NEARLY_ALL:
        rates.append(rate)
        rate *= 1.6
    return (*rates, HIGHEST_RATE)


def over(canary: Counts, ceiling: float) -> tuple[float, ...]:
    """Bet that the canary's error rate is above *ceiling*, one bet per `ceiling_rates`."""
    return tuple(_bernoulli(canary, rate, ceiling) for rate in ceiling_rates(ceiling))


def under(canary: Counts, level: float) -> tuple[float, ...]:
    """Bet that the canary's error rate is below *level*: what makes a certificate."""
    return tuple(_bernoulli(canary, factor * level, level) for factor in PASS_FACTORS)


def certificate(canary: Counts, level: float, phi: float) -> float:
    """Tell the logarithm of the odds for an error rate of the canary below *level*.

    *phi* is the dispersion of errors, which takes back what clustered ones pretend.
    """
    return mixture(bet / phi for bet in under(canary, level))


def mixture(logs: Iterable[float]) -> float:
    """Put equal stakes on all bets: the logarithm of the mean of their values.

    >>> mixture((0.0, 0.0))
    0.0
    """
    values = tuple(logs)
    if not values:
        return 0.0
    top = max(values)
    return top + log(sum(exp(value - top) for value in values) / len(values))


def _bernoulli(counts: Counts, rate: float, null: float) -> float:
    good = counts.requests - counts.errors
    return counts.errors * log(rate / null) + good * (log1p(-rate) - log1p(-null))
