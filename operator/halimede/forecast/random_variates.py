"""Draw random counts from a given generator."""

from math import exp, log1p, sqrt
from random import Random

NORMAL_FROM = 2000.0
"""Variance from which the normal distribution is used: the skew is then under 3 %."""


def poisson(rng: Random, mean: float) -> int:
    """Draw a Poisson variate (Knuth's product of uniforms, in parts)."""
    if mean >= NORMAL_FROM:
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    count = 0
    while mean > 0:
        part = min(mean, 30.0)
        mean -= part
        product, floor = rng.random(), exp(-part)
        while product > floor:
            count += 1
            product *= rng.random()
    return count


def binomial(rng: Random, trials: int, rate: float) -> int:
    """Draw a binomial variate, by the gaps between successful trials."""
    if rate >= 1:
        return trials
    if rate <= 0:
        return 0
    variance = trials * rate * (1 - rate)
    if variance >= NORMAL_FROM:
        return min(trials, max(0, round(rng.gauss(trials * rate, sqrt(variance)))))
    successes, trial = 0, geometric(rng, rate)
    while trial <= trials:
        successes += 1
        trial += geometric(rng, rate)
    return successes


def geometric(rng: Random, rate: float) -> int:
    """Draw the number of the first successful trial."""
    if rate >= 1:
        return 1
    return 1 + int(log1p(-rng.random()) / log1p(-rate))
