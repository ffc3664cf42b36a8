"""What the bake compares with: the stable revision's past, for it has few requests or none.

With nearly all traffic on the new revision a comparison at the same time tells little, so its
error rate is held against a ceiling of its own: three times the most that stable's past allows
for. That is far enough from stable's rate that a past of another hour does not stop a good
revision. Where the stable revision keeps a share of the requests, it must confirm what this test
says.
"""

from math import exp, lgamma, log, log1p

from halimede.api.status import SourceEvidence
from halimede.judge.martingales import ceiling_rates
from halimede.judge.reading import Counts

MAX_RATIO = 3.0
"""How many times stable's error rate, as its upper bound has it, a revision may have."""
MIN_CEILING = 0.005
"""An error rate that is borne even where stable had no errors."""
ALPHA_BOUND = 0.005
"""How often an upper bound may be too low."""
PRECISION = 1e-9
"""How far an upper bound may be from the true one."""
NEGLIGIBLE = 1e-12
"""A part of a sum that does not matter."""


def start_bake(held: SourceEvidence, most: float) -> SourceEvidence:
    """Fix the bake's ceiling, and start to bet against it.

    The ceiling comes from what was counted of stable while it was as usual: in the rollout, and in
    the two hours before it. Clustered errors count for fewer. It is *most* at most, what
    `maxErrorPercent` says.
    """
    phi = max(1.0, held.dispersion)
    requests = held.past_requests + held.usual_stable_requests
    errors = held.past_errors + held.usual_stable_errors
    told = Counts(round(requests / phi), round(errors / phi))
    ceiling = round(min(most, max(MIN_CEILING, MAX_RATIO * clopper_pearson_upper(told))), 6)
    return held.evolve(bake_ceiling=ceiling, log_bake=(0.0,) * len(ceiling_rates(ceiling)))


def clopper_pearson_upper(counts: Counts) -> float:
    """Compute the upper end of Clopper and Pearson's interval for an error rate.

    It is the rate at which so few errors, or fewer, come with probability `DOUBT` only.

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
    """Whether a *rate* no less than theirs gives so few errors more often than `DOUBT`.

    The binomial distribution is summed up from their number downwards.
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
