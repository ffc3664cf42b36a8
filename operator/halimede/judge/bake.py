"""What the bake compares with: the stable revision's past, for it has no requests any more.

With all traffic on the new revision nothing can be compared at the same time, so its error rate is
held against a ceiling of its own: three times the most that stable's past allows for. That is far
enough from stable's rate that a past of another hour does not stop a good revision.
"""

from math import exp, lgamma, log, log1p

from halimede.api.status import SourceEvidence
from halimede.judge.limits import HIGHEST_CEILING
from halimede.judge.past import ENOUGH_REQUESTS
from halimede.judge.processes import ceiling_rates
from halimede.judge.reading import Counts

TOLERATED = 3.0
"""How many times stable's error rate, as its upper bound has it, a revision may have."""
FLOOR = 0.005
"""An error rate that is borne even where stable had no errors."""
DOUBT = 0.005
"""How often an upper bound may be too low."""
HALVINGS = 50
"""More than a floating-point number has binary digits after the leading zeros of a rate."""


def begun(held: SourceEvidence) -> SourceEvidence:
    """Fix the bake's ceiling, and start to bet against it.

    The ceiling comes from what was counted before: from the rollout, and from the two hours before
    it where stable had too few requests in the rollout to tell a rate.
    """
    stable = Counts(held.stable_requests, held.stable_errors)
    if stable.requests < ENOUGH_REQUESTS:
        stable += Counts(held.past_requests, held.past_errors)
    ceiling = round(min(HIGHEST_CEILING, max(FLOOR, TOLERATED * upper_bound(stable))), 6)
    return held.model_copy(
        update={"bake_ceiling": ceiling, "log_bake": (0.0,) * len(ceiling_rates(ceiling))}
    )


def upper_bound(counts: Counts) -> float:
    """Compute the upper end of Clopper and Pearson's interval for an error rate.

    It is the rate at which so few errors, or fewer, come with probability `DOUBT` only.

    >>> round(upper_bound(Counts(100, 0)), 6)  # 1 - 0.005 ** (1 / 100)
    0.051604
    """
    if counts.errors >= counts.requests:
        return 1.0
    low, high = counts.errors / counts.requests, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _so_few(counts, middle) > DOUBT else (low, middle)
    return high


def _so_few(counts: Counts, rate: float) -> float:
    """Sum up the binomial distribution up to the errors; *rate* is no less than theirs."""
    requests, errors = counts.requests, counts.errors
    if rate >= 1.0:
        return 0.0
    choices = lgamma(requests + 1) - lgamma(errors + 1) - lgamma(requests - errors + 1)
    term = exp(choices + errors * log(rate) + (requests - errors) * log1p(-rate))
    total = term
    while errors and term > total * 1e-15:
        term *= errors * (1 - rate) / ((requests - errors + 1) * rate)
        errors -= 1
        total += term
    return total
