"""Draw counts at random, from a generator that is given."""

from math import exp, log1p, sqrt
from random import Random

NORMAL_FROM = 2000.0
"""A variance from which on the normal distribution will do: its skew is under 3 %."""


def poisson(rng: Random, mean: float) -> int:
    """Draw how many independent events there are (Knuth's product of uniforms, in parts)."""
    if mean >= NORMAL_FROM:
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    drawn = 0
    while mean > 0:
        part = min(mean, 30.0)
        mean -= part
        product, floor = rng.random(), exp(-part)
        while product > floor:
            drawn += 1
            product *= rng.random()
    return drawn


def binomial(rng: Random, trials: int, rate: float) -> int:
    """Draw how many of the trials come true, by the gaps between those that do."""
    if rate >= 1:
        return trials
    if rate <= 0:
        return 0
    variance = trials * rate * (1 - rate)
    if variance >= NORMAL_FROM:
        return min(trials, max(0, round(rng.gauss(trials * rate, sqrt(variance)))))
    found, at = 0, geometric(rng, rate)
    while at <= trials:
        found += 1
        at += geometric(rng, rate)
    return found


def geometric(rng: Random, rate: float) -> int:
    """Draw the number of the first trial that comes true."""
    if rate >= 1:
        return 1
    return 1 + int(log1p(-rng.random()) / log1p(-rate))
