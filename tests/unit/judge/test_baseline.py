import pytest

from halimede.api.sources import Source
from halimede.judge.baseline import Baseline, summarise_baseline, summarize_minutes
from halimede.judge.reading import Counts
from tests.support.series import STABLE, envoy, measured, request


def test_the_past_is_the_growth_of_the_counters() -> None:
    """The counters' values at the start of the window do not count."""
    minutes = tuple((60.0 * at, 1000.0 + 100 * at) for at in range(10))
    errors = ((300.0, 2.0), (360.0, 5.0))
    answer = measured(envoy(STABLE, minutes, response="2"), envoy(STABLE, errors, response="5"))
    result = summarise_baseline(Source.ROUTER, answer, request())
    assert result.counts == Counts(905, 5)
    assert result.rate == pytest.approx(5 / 905)


def test_few_requests_give_no_request_rate() -> None:
    """Under 300 requests there is no rate."""
    assert Baseline(Counts(299, 0)).rate is None
    assert Baseline(Counts(300, 3)).rate == 0.01


QUIET = [Counts(1000, errors) for errors in (4, 6, 5, 3, 7, 5)] * 20
"""Two hours with 0.5 % errors."""


def test_the_rate_of_a_past_without_incidents_is_that_of_all_of_it() -> None:
    """Without incidents all minutes count."""
    result = summarize_minutes(QUIET)
    assert result.counts == Counts(120_000, 600)
    assert result.dispersion < 1.5
    assert result.differences == 100


@pytest.mark.parametrize(
    ("minutes", "errors"), [(1, 300), (5, 300), (5, 50), (30, 300)], ids=lambda one: f"{one}"
)
def test_an_incident_in_the_past_changes_neither_rate_nor_dispersion(
    minutes: int, errors: int
) -> None:
    """An outage an hour before the rollout is excluded."""
    spoilt = list(QUIET)
    spoilt[40 : 40 + minutes] = [Counts(1000, errors)] * minutes
    found, usual = summarize_minutes(spoilt), summarize_minutes(QUIET)
    assert found.counts.requests == 1000 * (120 - minutes)
    assert found.rate == pytest.approx(0.005, rel=0.02)
    assert found.dispersion == pytest.approx(usual.dispersion, rel=0.1)


def test_what_most_minutes_show_is_usual() -> None:
    """An outage of more than one of the two hours is taken as usual."""
    result = summarize_minutes([Counts(1000, 300)] * 70 + [Counts(1000, 5)] * 50)
    assert result.counts == Counts(120_000, 70 * 300 + 50 * 5)


def test_clusters_are_not_taken_for_incidents() -> None:
    """Four errors in every fifth minute are this revision's usual rate."""
    result = summarize_minutes([Counts(1000, 20 if at % 5 == 0 else 0) for at in range(120)])
    assert result.counts == Counts(120_000, 480)
    assert result.dispersion > 5


def test_few_errors_are_no_incident() -> None:
    """Two errors in one minute and none in the others are no incident."""
    assert (
        summarize_minutes([Counts(5, 0)] * 60 + [Counts(5, 1)] + [Counts(5, 0)] * 59).counts.errors
        == 1
    )


def test_request_rate_counts_all_requests() -> None:
    """Requests in an incident count for the traffic, but not for the usual error rate."""
    minutes = tuple((60.0 * at, 1000.0 * at) for at in range(61))
    errors = tuple((60.0 * at, 500.0 * (at > 30) + 2 * at) for at in range(61))
    answer = measured(envoy(STABLE, minutes, response="2"), envoy(STABLE, errors, response="5"))
    result = summarise_baseline(Source.ROUTER, answer, request())
    assert result.requests == 60_000 + 620
    assert result.counts == Counts(59_118, 118)
    assert result.per_second == pytest.approx(60_620 / 3600)
