from math import comb, exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.judge.processes import ceiling_rates, mixture, over, under, worse
from halimede.judge.reading import Counts


def chance(counts: Counts, rate: float) -> float:
    """Say how probable so many errors are."""
    good = counts.requests - counts.errors
    return comb(counts.requests, counts.errors) * rate**counts.errors * (1 - rate) ** good


def outcomes(requests: int) -> list[Counts]:
    """List every number of errors that there can be."""
    return [Counts(requests, errors) for errors in range(requests + 1)]


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3, 0.7])
@pytest.mark.parametrize(("canary", "stable"), [(3, 27), (10, 10), (1, 1), (12, 4)])
def test_the_bet_on_worse_gains_nothing_on_equals(rate: float, canary: int, stable: int) -> None:
    """Summed over every possible outcome, no bet's expected value is above 1."""
    values = [0.0] * 8
    for one in outcomes(canary):
        for other in outcomes(stable):
            weight = chance(one, rate) * chance(other, rate)
            values = [
                value + weight * exp(won)
                for value, won in zip(values, worse(one, other), strict=True)
            ]
    assert max(values) <= 1 + 1e-9


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_bet_on_over_gains_nothing_at_or_below_the_ceiling(share: float) -> None:
    """Its expected value is exactly 1 at the ceiling and less below it."""
    ceiling = 0.05
    values = [0.0] * len(ceiling_rates(ceiling))
    for one in outcomes(20):
        weight = chance(one, share * ceiling)
        values = [v + weight * exp(won) for v, won in zip(values, over(one, ceiling), strict=True)]
    assert max(values) <= 1 + 1e-9


@pytest.mark.parametrize("excess", [1.0, 2.0])
def test_a_certificate_gains_nothing_at_or_above_its_level(excess: float) -> None:
    """So a canary at the level earns one with probability beta at most, whenever one looks."""
    level = 0.1
    values = [0.0] * 4
    for one in outcomes(20):
        weight = chance(one, excess * level)
        values = [v + weight * exp(won) for v, won in zip(values, under(one, level), strict=True)]
    assert max(values) <= 1 + 1e-9


@given(requests=st.integers(0, 1000), part=st.floats(0, 1), stable=st.integers(0, 1000))
def test_bets_are_finite_numbers(requests: int, part: float, stable: int) -> None:
    """Whatever was counted, zero and everything included."""
    canary = Counts(requests, int(part * requests))
    values = (*worse(canary, Counts(stable, 0)), *over(canary, 0.95), *under(canary, 0.01))
    assert all(-inf < value < inf for value in values)


def test_without_requests_on_a_side_nothing_is_compared() -> None:
    """A bet needs both."""
    assert set(worse(Counts(10, 10), Counts())) == {0.0}
    assert set(worse(Counts(), Counts(10, 10))) == {0.0}


def test_rates_bet_on_lie_above_the_ceiling() -> None:
    """For the default ceiling there are seven, as many as the study measured with."""
    rates = ceiling_rates(0.05)
    assert len(rates) == 7
    assert (min(rates), max(rates)) == (0.05 * 1.5, 0.98)


def test_the_mixture_is_the_mean() -> None:
    """Also where the values themselves are too large for a float."""
    assert mixture((log(3.0), log(1.0))) == pytest.approx(log(2.0))
    assert mixture((2000.0, 0.0)) == pytest.approx(2000.0 - log(2))
    assert mixture(()) == 0.0
