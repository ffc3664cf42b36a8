"""Random variates have the right mean and standard deviation."""

from math import sqrt
from random import Random
from statistics import mean, stdev

import pytest

from halimede.forecast.random_variates import binomial, poisson


@pytest.mark.parametrize("expected", [0.3, 40.0, 5000.0])
def test_poisson_has_its_mean_and_spread(expected: float) -> None:
    """This also holds where the normal distribution approximates it."""
    rng = Random(1)
    drawn = [poisson(rng, expected) for _ in range(1000)]
    assert mean(drawn) == pytest.approx(expected, abs=5 * sqrt(expected / 1000))
    assert stdev(drawn) == pytest.approx(sqrt(expected), rel=0.15)


@pytest.mark.parametrize(("trials", "rate"), [(40, 0.1), (200_000, 0.2)])
def test_binomial_has_its_mean_and_spread(trials: int, rate: float) -> None:
    """This also holds where the normal distribution approximates it."""
    rng, spread = Random(1), sqrt(trials * rate * (1 - rate))
    drawn = [binomial(rng, trials, rate) for _ in range(1000)]
    assert mean(drawn) == pytest.approx(trials * rate, abs=5 * spread / sqrt(1000))
    assert stdev(drawn) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(("rate", "drawn"), [(0.0, 0), (1.0, 7)])
def test_what_is_certain_is_not_left_to_chance(rate: float, drawn: int) -> None:
    """Probabilities 0 and 1 give none and all."""
    assert binomial(Random(1), 7, rate) == drawn
