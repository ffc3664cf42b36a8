"""The test of the bake: the canary's error rate against a ceiling from the baseline.

In the bake the stable revision has few requests or none, so a comparison at the same time shows
little. Instead, the canary's error rate must not exceed a ceiling: three times the upper bound of
the baseline's error rate. That is far enough from stable's rate that a baseline from another time
of day does not abort a good revision. If the stable revision keeps a control share, the comparison
with it must confirm this test.
"""

from math import exp, lgamma, log, log1p

from halimede.api.status import SourceEvidence
from halimede.judge.martingales import ceiling_rates
from halimede.judge.reading import Counts

MAX_RATIO = 3.0
"""Ratio of the ceiling to the upper bound of stable's error rate."""
MIN_CEILING = 0.005
"""Lowest ceiling, even if stable had no errors."""
ALPHA_BOUND = 0.005
"""Probability that an upper bound is too low."""
PRECISION = 1e-9
"""Maximum numerical error of an upper bound."""
NEGLIGIBLE = 1e-12
"""Terms smaller than this fraction of the sum are ignored."""


def start_bake(evidence: SourceEvidence, most: float) -> SourceEvidence:
    """Set the ceiling of the bake, and reset its bets.

    The ceiling is computed from stable's counts in the two hours before the rollout, and in the
    rollout while its error rate was usual. The counts are divided by the dispersion. The ceiling
    is at most *most*, the value of `maxErrorPercent`.
    """
    phi = max(1.0, evidence.dispersion)
    requests = evidence.past_requests + evidence.usual_stable_requests
    errors = evidence.past_errors + evidence.usual_stable_errors
    counts = Counts(round(requests / phi), round(errors / phi))
    ceiling = round(min(most, max(MIN_CEILING, MAX_RATIO * clopper_pearson_upper(counts))), 6)
    return evidence.evolve(bake_ceiling=ceiling, log_bake=(0.0,) * len(ceiling_rates(ceiling)))


def clopper_pearson_upper(counts: Counts) -> float:
    """Compute the upper end of Clopper and Pearson's interval for an error rate.

    At this rate, the probability of *counts*' errors or fewer is `ALPHA_BOUND`.

    >>> round(clopper_pearson_upper(Counts(100, 0)), 6)  # 1 - 0.005 ** (1 / 100)
    0.051604
    """
    if counts.errors >= counts.requests:
        return 1.0
    low, high = counts.errors / counts.requests, 1.0
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if _is_likely(counts, middle) else (low, middle)
    return high


def _is_likely(counts: Counts, rate: float) -> bool:
    """Whether *rate* gives as few errors, or fewer, with a probability above `ALPHA_BOUND`.

    *rate* must be at least the error rate of *counts*. The terms of the binomial distribution are
    added from the number of errors downwards.
    """
    requests, errors = counts.requests, counts.errors
    choices = lgamma(requests + 1) - lgamma(errors + 1) - lgamma(requests - errors + 1)
    term = exp(choices + errors * log(rate) + (requests - errors) * log1p(-rate))
    total = term
    while total <= ALPHA_BOUND and errors and term > total * NEGLIGIBLE:
        term *= errors * (1 - rate) / ((requests - errors + 1) * rate)
        errors -= 1
        total += term
    return total > ALPHA_BOUND
