"""The ceiling of the bake."""

from fractions import Fraction
from math import comb

import pytest

from halimede.api.analysis import Analysis
from halimede.api.status import SourceEvidence
from halimede.judge.bake import clopper_pearson_upper, start_bake
from halimede.judge.counts import WindowCounts
from halimede.judge.evidence import initial_evidence, update_evidence
from halimede.judge.martingales import ceiling_rates, log_mixture
from halimede.judge.reading import Counts
from halimede.judge.thresholds import limits

BAD = WindowCounts(Counts(100, 30), Counts(), watermark=15.0, canary_seen_at=15.0, interval=15.0)
CASES = [(1, 0), (10, 1), (100, 3), (300, 0), (1000, 5), (200, 150), (500, 499)]


def so_few(requests: int, errors: int, rate: float) -> float:
    """Return the cumulative binomial probability without rounding."""
    exact = Fraction(rate)
    terms = (
        comb(requests, some) * exact**some * (1 - exact) ** (requests - some)
        for some in range(errors + 1)
    )
    return float(sum(terms))


@pytest.mark.parametrize(("requests", "errors"), CASES)
def test_the_bound_is_the_rate_at_which_so_few_errors_are_rare(requests: int, errors: int) -> None:
    """The bound fulfils Clopper and Pearson's definition at 99.5 %, in exact fractions."""
    bound = clopper_pearson_upper(Counts(requests, errors))
    assert so_few(requests, errors, bound) == pytest.approx(0.005, rel=1e-5)


@pytest.mark.parametrize("requests", [1, 30, 300, 10**6, 10**9])
def test_without_an_error_the_bound_has_a_formula(requests: int) -> None:
    """Without an error it is the rate at which no error comes in 0.5 % of cases."""
    assert clopper_pearson_upper(Counts(requests, 0)) == pytest.approx(
        1 - 0.005 ** (1 / requests), abs=2e-9
    )


def test_the_bound_of_very_many_requests_is_close_to_their_rate() -> None:
    """It is 2.576 standard deviations above the rate, as for the normal distribution."""
    bound = clopper_pearson_upper(Counts(10**8, 500_000))
    assert bound == pytest.approx(0.005 + 2.576 * (0.005 * 0.995 / 10**8) ** 0.5, rel=1e-4)


@pytest.mark.parametrize("counts", [Counts(0, 0), Counts(5, 5)])
def test_what_excludes_no_rate_has_no_bound(counts: Counts) -> None:
    """No requests, or only errors, give no bound."""
    assert clopper_pearson_upper(counts) == 1.0


def evidence(stable: Counts, past: Counts, phi: float = 1.0) -> SourceEvidence:
    """Return evidence of the stable revision: its usual counts and an outage."""
    return SourceEvidence(
        source="Router",
        begun_at=0,
        watermark=0,
        stable_requests=stable.requests + 700,
        stable_errors=stable.errors + 300,
        usual_stable_requests=stable.requests,
        usual_stable_errors=stable.errors,
        past_requests=past.requests,
        past_errors=past.errors,
        dispersion=phi,
    )


@pytest.mark.parametrize(
    ("stable", "past", "basis"),
    [
        (Counts(1000, 5), Counts(50_000, 500), Counts(51_000, 505)),
        (Counts(299, 5), Counts(1000, 20), Counts(1299, 25)),
        (Counts(0, 0), Counts(1000, 20), Counts(1000, 20)),
    ],
)
def test_the_ceiling_is_three_times_what_the_past_allows_for(
    stable: Counts, past: Counts, basis: Counts
) -> None:
    """It uses the rollout's own counts and the two hours before, both without outages."""
    ceiling = start_bake(evidence(stable, past), 0.95).bake_ceiling
    assert ceiling == pytest.approx(3 * clopper_pearson_upper(basis), abs=1e-6)


def test_clustered_errors_count_as_fewer_requests() -> None:
    """5000 requests whose errors come four at a time count as 1250."""
    ceiling = start_bake(evidence(Counts(1000, 8), Counts(4000, 32), 4.0), 0.95).bake_ceiling
    assert ceiling == pytest.approx(3 * clopper_pearson_upper(Counts(1250, 10)), abs=1e-6)


@pytest.mark.parametrize(
    ("past", "most", "ceiling"),
    [
        (Counts(10**6, 0), 0.05, 0.005),
        (Counts(10**6, 0), 0.002, 0.002),
        (Counts(0, 0), 0.05, 0.05),
        (Counts(9, 9), 0.05, 0.05),
    ],
)
def test_the_ceiling_has_bounds(past: Counts, most: float, ceiling: float) -> None:
    """The ceiling has a minimum, and `maxErrorPercent` as its maximum."""
    started = start_bake(evidence(Counts(), past), most)
    assert started.bake_ceiling == ceiling
    assert len(started.log_bake) == len(ceiling_rates(ceiling))


def test_before_the_bake_nothing_is_bet_on_it() -> None:
    """Before the bake its test does not run, as each test adds a chance of a false alarm."""
    bounds = limits(Analysis())
    levels = (0.05,)
    before = update_evidence(
        initial_evidence("Router", bounds, levels, 0.0), BAD, bounds, levels, tolerated=3.0
    )
    assert before.log_bake == ()
    after = update_evidence(start_bake(before, 0.05), BAD, bounds, levels, tolerated=3.0)
    assert log_mixture(after.log_bake) > 0
