"""The dispersion of errors, from differences between adjacent periods."""

from random import Random

import pytest

from halimede.forecast.random_variates import binomial
from halimede.judge.dispersion import (
    CLIPPED,
    MAX_DIFFERENCES,
    WORST_DISPERSION,
    add_difference,
    difference,
    estimate_dispersion,
    neighbours,
    phi_of,
)
from halimede.judge.reading import Counts
from tests.support.judged_rollout import JudgedRollout


def of(*bins: Counts | None, incidents: bool = False) -> float:
    """Return the dispersion of consecutive periods."""
    return estimate_dispersion(neighbours(bins), incidents=incidents)[0]


def clustered(size: int, minutes: int = 120) -> list[Counts]:
    """Draw minutes of 3000 requests of which 1 % fail, *size* at a time."""
    rng = Random(1)
    return [Counts(3000, size * binomial(rng, 3000, 0.01 / size)) for _ in range(minutes)]


def test_a_difference_is_the_square_of_its_standard_deviations() -> None:
    """2 and 8 errors in a hundred requests each: 0.06 squared, over 0.05 x 0.95 x 2 / 100."""
    assert difference(Counts(100, 2), Counts(100, 8)) == pytest.approx(0.0036 / 0.00095)
    assert difference(Counts(100, 8), Counts(100, 2)) == pytest.approx(0.0036 / 0.00095)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Counts(100, 0), Counts(100, 0)),
        (Counts(100, 100), Counts(50, 50)),
        (Counts(), Counts(100, 5)),
        (Counts(100, 5), Counts()),
    ],
    ids=["no errors", "errors only", "nothing before", "nothing after"],
)
def test_some_neighbours_give_no_difference(before: Counts, after: Counts) -> None:
    """Both periods need requests, of which some but not all have failed."""
    assert difference(before, after) is None


@pytest.mark.parametrize("size", [1, 2, 5, 10])
def test_the_dispersion_is_the_size_of_the_clusters(size: int) -> None:
    """Independent errors have a dispersion of 1."""
    assert of(*clustered(size)) == pytest.approx(size, rel=0.25)


def test_an_outage_counts_where_it_begins_and_where_it_ends() -> None:
    """An outage of half an hour gives the same dispersion as one of two minutes."""
    calm = [Counts(1000, 5 + at % 2) for at in range(120)]
    short, long = list(calm), list(calm)
    short[40:42] = [Counts(1000, 300)] * 2
    long[40:70] = [Counts(1000, 300)] * 30
    assert 1 < of(*long) <= of(*short)


def test_a_slow_rise_is_no_dispersion() -> None:
    """A rise from 0.2 to 2 % in two hours gives no dispersion."""
    assert of(*[Counts(3000, 6 + at * 54 // 120) for at in range(120)]) < 0.1


def test_the_edges_of_incidents_are_clipped_where_there_may_be_some() -> None:
    """The largest twentieth of the differences counts as the largest of the others."""
    spoilt = clustered(1)
    spoilt[40] = Counts(3000, 900)
    assert of(*spoilt) > 10
    assert of(*spoilt, incidents=True) == pytest.approx(1.0, rel=0.25)


def test_periods_that_are_left_out_have_no_neighbours() -> None:
    """Periods before and after an excluded one are not compared."""
    one, other = Counts(1000, 5), Counts(1000, 100)
    assert list(neighbours([one, None, other, one])) == [(other, one)]


@pytest.mark.parametrize(
    "bins",
    [
        [],
        [Counts(100, 9), Counts(100, 0)],
        [Counts(100, 50)],
        [Counts(20, 20), Counts(5, 5)],
    ],
    ids=["nothing", "few errors", "one minute", "errors only"],
)
def test_samples_without_a_dispersion_count_as_none(bins: list[Counts]) -> None:
    """Ten errors, more than a minute, and some good requests are needed."""
    assert estimate_dispersion(neighbours(bins), incidents=False) == (1.0, 0)


def test_a_dispersion_has_an_upper_end() -> None:
    """Minutes with only errors do not raise the dispersion without limit."""
    assert of(*[Counts(10**6, 10**6 * (at % 2)) for at in range(20)]) == WORST_DISPERSION


def test_the_number_of_differences_is_returned_with_it() -> None:
    """At most 100 differences count, so that later ones have some weight."""
    assert estimate_dispersion(neighbours(clustered(1, 31)), incidents=False)[1] == 30
    assert (
        estimate_dispersion(neighbours(clustered(1, 150)), incidents=False)[1] == MAX_DIFFERENCES
    )


def test_what_is_learnt_counts_as_one_of_the_differences() -> None:
    """The mean of all of them, the first one alone included."""
    assert add_difference(1.0, 0, 3.0) == (3.0, 1)
    assert add_difference(3.0, 1, 1.0) == (2.0, 2)
    assert add_difference(2.0, MAX_DIFFERENCES, 7.0) == (pytest.approx(2.05), MAX_DIFFERENCES)


def test_an_incident_is_learnt_as_ten_times_what_is_usual_at_most() -> None:
    """One poll never raises the dispersion for hours."""
    assert add_difference(2.0, 99, 10_000.0)[0] == pytest.approx(2.0 + (CLIPPED * 2.0 - 2.0) / 100)
    assert add_difference(0.5, 99, 10_000.0)[0] == pytest.approx(0.5 + (CLIPPED - 0.5) / 100)


def test_clusters_that_begin_in_the_rollout_are_learnt() -> None:
    """Without a past, twenty errors in every fourth poll raise the dispersion."""
    watch = JudgedRollout()
    for at in range(60):
        watch.poll(Counts(100, 0), Counts(900, 20 * (at % 4 == 0)))
    evidence = watch.evidence.sources[0]
    assert evidence.dispersion > 5
    assert phi_of(evidence) == evidence.dispersion
    assert (evidence.last_requests, evidence.last_errors) == (900, 0)


def test_even_errors_never_count_for_more_than_independent_ones() -> None:
    """A dispersion under 1 is used as 1."""
    watch = JudgedRollout()
    for _ in range(30):
        watch.poll(Counts(100, 1), Counts(900, 9))
    evidence = watch.evidence.sources[0]
    assert evidence.dispersion < 1
    assert phi_of(evidence) == 1.0


def test_canary_errors_do_not_change_the_dispersion() -> None:
    """Otherwise a revision that fails in bursts would weaken the evidence against it."""
    watch = JudgedRollout()
    for at in range(30):
        watch.poll(Counts(100, 30 * (at % 2)), Counts(900, 9))
    assert watch.evidence.sources[0].dispersion < 1
