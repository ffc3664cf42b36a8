from collections.abc import Callable
from math import comb, exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.judge.martingales import (
    BETTER,
    BETTER_FACTORS,
    CONFIRMING_RATIOS,
    PASS_FACTORS,
    PASS_STAKES,
    RATIOS,
    better,
    ceiling_rates,
    certificate,
    compare,
    confirm,
    log_e_above,
    log_e_below,
    log_e_worse,
    log_mixture,
    no_worse,
)
from halimede.judge.reading import Counts


def chance(counts: Counts, rate: float) -> float:
    """Return the probability of this many errors."""
    good = counts.requests - counts.errors
    return comb(counts.requests, counts.errors) * rate**counts.errors * (1 - rate) ** good


def outcomes(requests: int) -> list[Counts]:
    """Return every possible number of errors."""
    return [Counts(requests, errors) for errors in range(requests + 1)]


def expected(
    bets: Callable[[Counts, Counts], tuple[float, ...]],
    requests: tuple[int, int],
    rates: tuple[float, float],
) -> tuple[float, ...]:
    """Return the expected value of each bet over all outcomes of both revisions."""
    result = [
        tuple(
            chance(one, rates[0]) * chance(other, rates[1]) * exp(won) for won in bets(one, other)
        )
        for one in outcomes(requests[0])
        for other in outcomes(requests[1])
    ]
    return tuple(sum(values) for values in zip(*result, strict=True))


SIZES = [(3, 27), (10, 10), (1, 1), (12, 4)]


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3, 0.7])
@pytest.mark.parametrize("requests", SIZES)
@pytest.mark.parametrize("known", [0.0, 0.02, 1.0])
def test_the_bet_on_worse_gains_nothing_on_equals(
    rate: float, requests: tuple[int, int], known: float
) -> None:
    """Summed over every possible outcome, no bet's expected value is above 1.

    The limit of counted errors makes it smaller; without stable errors it is 2.
    """
    values = expected(
        lambda canary, stable: log_e_worse(canary, stable, known, 1.0), requests, (rate, rate)
    )
    assert len(values) == len(RATIOS)
    assert max(values) <= 1 + 1e-9


@pytest.mark.parametrize("known", [0.0, 0.02])
def test_the_limit_of_the_errors_that_count_costs_something(known: float) -> None:
    """Twelve requests with 30 % errors exceed the limit often enough to matter."""
    limited = expected(lambda one, two: log_e_worse(one, two, known, 1.0), (12, 4), (0.3, 0.3))
    free = expected(lambda one, two: compare(one, two, RATIOS), (12, 4), (0.3, 0.3))
    assert all(less < more for less, more in zip(limited[:2], free[:2], strict=True))


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3])
@pytest.mark.parametrize("requests", SIZES)
def test_the_confirming_bet_gains_nothing_on_equals(
    rate: float, requests: tuple[int, int]
) -> None:
    """The same holds if the canary is better than stable."""
    for part in (1.0, 0.5):
        values = expected(confirm, requests, (part * rate, rate))
        assert len(values) == len(CONFIRMING_RATIOS)
        assert max(values) <= 1 + 1e-9


@pytest.mark.parametrize("null", [0.5, 2.0, 3.0])
@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3])
@pytest.mark.parametrize("requests", SIZES)
def test_bets_over_another_null_gain_nothing_at_it_or_below(
    null: float, rate: float, requests: tuple[int, int]
) -> None:
    """No bet gains if the canary's rate ratio is at most the null."""
    ratios = (1.1 * null, 2 * null, 20 * null)
    for part in (1.0, 0.3):
        values = expected(
            lambda one, two: compare(one, two, ratios, null), requests, (part * null * rate, rate)
        )
        assert max(values) <= 1 + 1e-9


@pytest.mark.parametrize("tolerated", [1.5, 3.0])
@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3])
@pytest.mark.parametrize("requests", SIZES)
def test_the_bet_on_no_worse_gains_nothing_on_the_tolerated_ratio_or_more(
    tolerated: float, rate: float, requests: tuple[int, int]
) -> None:
    """So a canary over `maxErrorRatio` rarely gets a certificate by this bet."""
    for more in (1.0, 2.0):
        own = min(1.0, more * tolerated * rate)
        values = expected(lambda one, two: no_worse(one, two, tolerated), requests, (own, rate))
        assert len(values) == len(PASS_FACTORS)
        assert max(values) <= 1 + 1e-9


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.3])
@pytest.mark.parametrize("requests", SIZES)
def test_the_bet_on_better_gains_nothing_on_four_fifths_or_more(
    rate: float, requests: tuple[int, int]
) -> None:
    """A canary with 80 % or more of stable's error rate is not called better."""
    for part in (BETTER, 1.0, 1.5):
        values = expected(better, requests, (part * rate, rate))
        assert len(values) == len(BETTER_FACTORS)
        assert max(values) <= 1 + 1e-9


def test_bets_win_where_they_are_right() -> None:
    """Each bet wins for its case: five times, as many, and half of stable's errors."""
    assert max(expected(lambda a, b: log_e_worse(a, b, 0.1, 1.0), (10, 10), (0.5, 0.1))) > 2
    assert max(expected(confirm, (10, 10), (0.5, 0.1))) > 2
    assert max(expected(lambda a, b: no_worse(a, b, 3.0), (10, 10), (0.1, 0.2))) > 1.5
    assert max(expected(better, (10, 10), (0.1, 0.5))) > 1.5


def test_a_burst_does_not_speak_for_a_low_ratio() -> None:
    """Of 200 errors where one is usual, a bet on 1.5 times counts at most six."""
    canary, stable = Counts(200, 200), Counts(1800, 9)
    burst = log_e_worse(canary, stable, 0.005, 1.0)
    assert burst[0] == pytest.approx(
        compare(Counts(200, 200), stable, (1.5,), most=(1.5 + 1.5 * 1.5**0.5 + 2,))[0], abs=1e-9
    )
    free = compare(canary, stable, RATIOS)
    assert burst[0] < 0.05 * free[0]
    assert burst[-1] > 0.5 * free[-1]
    assert log_e_worse(canary, stable, 0.005, 9.0)[0] > burst[0]


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_bet_on_over_gains_nothing_at_or_below_the_ceiling(share: float) -> None:
    """Its expected value is exactly 1 at the ceiling and less below it."""
    ceiling = 0.05
    values = [0.0] * len(ceiling_rates(ceiling))
    for one in outcomes(20):
        weight = chance(one, share * ceiling)
        values = [
            v + weight * exp(won) for v, won in zip(values, log_e_above(one, ceiling), strict=True)
        ]
    assert max(values) <= 1 + 1e-9


@pytest.mark.parametrize("excess", [1.0, 2.0])
def test_a_certificate_gains_nothing_at_or_above_its_level(excess: float) -> None:
    """So a canary at the level gets one with probability beta at most, at any time."""
    level = 0.1
    values = [0.0] * len(PASS_FACTORS)
    for one in outcomes(20):
        weight = chance(one, excess * level)
        values = [
            v + weight * exp(won) for v, won in zip(values, log_e_below(one, level), strict=True)
        ]
    assert max(values) <= 1 + 1e-9


@given(requests=st.integers(0, 1000), part=st.floats(0, 1), stable=st.integers(0, 1000))
def test_bets_are_finite_numbers(requests: int, part: float, stable: int) -> None:
    """Bets are finite for all counts, including zero and all requests."""
    canary = Counts(requests, int(part * requests))
    other = Counts(stable, 0)
    values = (
        *log_e_worse(canary, other, 0.0, 1.0),
        *no_worse(canary, other, 3.0),
        *better(canary, other),
        *confirm(canary, other),
        *log_e_above(canary, 0.95),
        *log_e_below(canary, 0.01),
    )
    assert all(-inf < value < inf for value in values)


def test_without_requests_on_a_side_nothing_is_compared() -> None:
    """A comparison needs requests on both revisions."""
    for one, other in ((Counts(10, 10), Counts()), (Counts(), Counts(10, 10))):
        assert set(log_e_worse(one, other, 0.1, 1.0)) == {0.0}
        assert set(no_worse(one, other, 3.0)) == {0.0}
        assert set(better(one, other)) == {0.0}


def test_rates_bet_on_lie_above_the_ceiling() -> None:
    """The default ceiling has seven rates, as in the simulated acceptance figures."""
    rates = ceiling_rates(0.05)
    assert len(rates) == 7
    assert (min(rates), max(rates)) == (0.05 * 1.5, 0.98)


def test_the_stakes_of_a_certificate_are_one_capital() -> None:
    """The stakes sum to one, with little on the bets close to the level."""
    assert sum(PASS_STAKES) == pytest.approx(1.0)
    assert len(PASS_STAKES) == len(PASS_FACTORS)
    assert certificate(Counts(), 0.05, 1.0) == pytest.approx(0.0)
    assert max(PASS_STAKES[:2]) < min(PASS_STAKES[2:])


def test_a_rate_close_below_the_level_is_certified() -> None:
    """4 % under a level of 5 %, which a bet on half of the level never shows."""
    counts = Counts(10_000, 400)
    assert log_e_below(counts, 0.05)[PASS_FACTORS.index(0.5)] < 0
    assert certificate(counts, 0.05, 1.0) > log(20)
    assert certificate(Counts(10_000, 500), 0.05, 1.0) < 0


def test_a_certificate_takes_the_relative_bets_in() -> None:
    """The relative bets are already divided by the dispersion."""
    counts, won = Counts(200, 1), (0.3, 0.4, 0.5, 1.0, 2.0, 1.5)
    bets = [bet / 2 + more for bet, more in zip(log_e_below(counts, 0.05), won, strict=True)]
    assert certificate(counts, 0.05, 2.0, won) == pytest.approx(
        log(sum(part * exp(bet) for part, bet in zip(PASS_STAKES, bets, strict=True)))
    )


def test_the_mixture_is_the_mean() -> None:
    """The mean is also right if the values are too large for a float."""
    assert log_mixture((log(3.0), log(1.0))) == pytest.approx(log(2.0))
    assert log_mixture((2000.0, 0.0)) == pytest.approx(2000.0 - log(2))
    assert log_mixture(()) == 0.0
