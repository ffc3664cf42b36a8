"""Test martingales on error counts.

Each is a bet against a null hypothesis such as "the canary is as good as stable": as long as the
hypothesis holds, the expected value never rises. By Ville's inequality the value therefore ever
reaches 1/alpha with a probability of at most alpha, however often it is evaluated. All values are
natural logarithms.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import exp, inf, log, log1p, sqrt

from halimede.judge.reading import Counts

RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Ratios of the canary's error rate to stable's; one bet for each."""

DEVIATIONS = 1.5
"""Per poll, a bet counts at most its expected errors plus this many standard deviations..."""
FEW = 2
"""...plus this many errors."""

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

    Stable's own rate is unknown and may vary, so the bet is on which revision each error belongs
    to. With pi the canary's part of the requests, a canary that is k times as bad makes
    q_k = k pi / (1 - pi + k pi) of the errors. For independent Bernoulli requests and any common
    rate, this is a supermartingale under "at most *null* times" if all ratios are above *null*,
    and under "at least *null* times" if all are below it. If either revision has no requests, all
    gains are 0. If *most* is given, the bet on each ratio counts at most that many errors of the
    canary; this lowers its gain, so it remains a supermartingale.
    """
    if not canary.requests or not stable.requests:
        return (0.0,) * len(ratios)
    share = canary.requests / (canary.requests + stable.requests)
    base = 1 - share + null * share
    limits = most or (inf,) * len(ratios)
    bets = []
    for ratio, bound in zip(ratios, limits, strict=True):
        blend = (1 - share + ratio * share) / base
        errors = min(canary.errors, bound)
        bets.append(errors * log(ratio / null / blend) - stable.errors * log(blend))
    return tuple(bets)


def log_e_worse(canary: Counts, stable: Counts, rate: float, phi: float) -> tuple[float, ...]:
    """Bet that the canary's error rate is higher than stable's.

    Each bet counts only about as many errors as its ratio predicts. Otherwise a burst would raise
    the bets on low ratios, which fall slowly after it.

    Args:
        canary: The canary's counts.
        stable: Stable's counts.
        rate: Stable's error rate: the usual, the recent or the present one, whichever is highest.
        phi: The dispersion of errors.
    """
    expected = [ratio * rate * canary.requests for ratio in RATIOS]
    most = [mean + DEVIATIONS * sqrt(phi * mean) + FEW for mean in expected]
    return compare(canary, stable, RATIOS, most=most)


def confirm(canary: Counts, stable: Counts) -> tuple[float, ...]:
    """Bet that the canary's error rate is higher than stable's, on fewer ratios."""
    return compare(canary, stable, CONFIRMING_RATIOS)


def no_worse(canary: Counts, stable: Counts, tolerated: float) -> tuple[float, ...]:
    """Bet that the canary's error rate is below *tolerated* times stable's."""
    return compare(canary, stable, [tolerated * factor for factor in PASS_FACTORS], tolerated)


def better(canary: Counts, stable: Counts) -> tuple[float, ...]:
    """Bet that the canary's error rate is below `BETTER` times stable's."""
    return compare(canary, stable, [BETTER * factor for factor in BETTER_FACTORS], BETTER)


@lru_cache(maxsize=128)
def ceiling_rates(ceiling: float) -> tuple[float, ...]:
    """Return the rates above *ceiling* that `log_e_above` bets on."""
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
    """Bet that the canary's error rate is below *level*: the bets of a certificate."""
    return tuple(_bernoulli(canary, factor * level, level) for factor in PASS_FACTORS)


def certificate(canary: Counts, level: float, phi: float, relative: Sequence[float] = ()) -> float:
    """Compute the logarithm of the odds for an error rate of the canary below *level*.

    Args:
        canary: The canary's counts while stable's error rate was usual.
        level: The error rate to exclude.
        phi: The dispersion of errors, by which the bets are divided.
        relative: The gains of the bets of `no_worse` while stable's error rate was unusual,
            already divided by the dispersion. Empty: it never was.
    """
    bets = [bet / phi for bet in log_e_below(canary, level)]
    if relative:
        bets = [bet + more for bet, more in zip(bets, relative, strict=True)]
    return log_mixture(bets, PASS_STAKES)


def log_mixture(logs: Iterable[float], stakes: Sequence[float] | None = None) -> float:
    """Compute the logarithm of the mean of the values of all bets.

    Args:
        logs: Their logarithms.
        stakes: The fraction of the capital on each bet; None: equal fractions.

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
