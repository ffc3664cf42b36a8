"""Slow responses, by one bound of a router's histogram."""

from dataclasses import replace

import pytest

from halimede.api.analysis import Analysis, Latency, MetricsProvider
from halimede.api.reasons import UnavailableReason, Verdict
from halimede.api.sources import Source
from halimede.api.status import Evidence
from halimede.judge.counts import WindowCounts, count_window
from halimede.judge.initial_evidence import begin
from halimede.judge.judge import demanded, judge_poll
from halimede.judge.queries import plan_counters
from halimede.judge.reading import (
    Answer,
    Counts,
    History,
    MetricsRequest,
    Reading,
    Series,
    Unavailable,
    counted_since,
    sources,
)
from halimede.judge.thresholds import levels, limits
from tests.support.series import CANARY, STABLE, Points, envoy, measured, request, series

LATENCY = Latency(threshold_milliseconds=250, max_slow_percent="10")
ANALYSIS = Analysis(latency=LATENCY)
BOUNDS = tuple(Series({"le": bound}, ()) for bound in ("100", "250.0", "1000", "+Inf"))


def asked(now: float = 1000.0, since_: float | None = 0.0) -> MetricsRequest:
    """Return a request for responses over 250 ms."""
    return replace(request(now, since_), slow_after=250)


def waited(revision: str, *points: tuple[float, int, int]) -> tuple[Series, ...]:
    """Return a histogram with these (time, requests, slow requests)."""
    name = {"name": "", "envoy_cluster_name": f"ml_digits-{revision}_8000", "instance": "envoy-1"}
    metric = "envoy_cluster_upstream_rq_time"
    counts: Points = tuple((at, float(every)) for at, every, _ in points)
    quick: Points = tuple((at, float(every - slow)) for at, every, slow in points)
    return (
        series(counts, **name | {"name": f"{metric}_count"}),
        series(quick, **name | {"name": f"{metric}_bucket", "le": "250.0"}),
    )


def counted(*all_series: Series) -> WindowCounts | Unavailable:
    """Return the counts after time 0."""
    return count_window(
        Source.ROUTER_LATENCY,
        measured(*all_series),
        asked(),
        begun_at=0.0,
        after=0.0,
        pods_started={},
    )


def test_what_is_not_in_the_bucket_is_slow() -> None:
    """Slow responses are exact on both revisions: both counters are of one scrape."""
    seen = counted(
        *waited(CANARY, (0.0, 10, 1), (15.0, 30, 6)),
        *waited(STABLE, (0.0, 0, 0), (15.0, 900, 9)),
        *BOUNDS,
    )
    assert isinstance(seen, WindowCounts)
    assert (seen.canary, seen.stable) == (Counts(20, 5), Counts(900, 9))


def test_a_restarted_proxy_loses_no_request() -> None:
    """A restart resets both counters, and no response is lost."""
    seen = counted(*waited(CANARY, (0.0, 50, 5), (15.0, 60, 5), (30.0, 55, 7)), *BOUNDS)
    assert isinstance(seen, WindowCounts)
    assert seen.canary == Counts(65, 7)


def test_a_threshold_without_a_bucket_is_reported_with_the_bounds() -> None:
    """A threshold that is no bound is rejected with the existing bounds."""
    answer = counted(*waited(CANARY, (0.0, 0, 0), (15.0, 9, 0))[:1], *BOUNDS[::2], BOUNDS[3])
    assert answer == Unavailable(
        UnavailableReason.NO_SUCH_BOUND,
        "spec.rollout.analysis.latency.thresholdMilliseconds 250 is not a bound of"
        " envoy_cluster_upstream_rq_time: set it to one of 100, 1000",
    )


def test_a_histogram_that_is_not_there_yet_is_no_flaw() -> None:
    """Without requests there is no histogram, which is no error."""
    seen = counted()
    assert isinstance(seen, WindowCounts)
    assert seen.canary_seen_at is None


@pytest.mark.parametrize("provider", [MetricsProvider.CONTOUR, MetricsProvider.ENVOY_GATEWAY])
def test_the_count_one_bucket_and_all_bounds_are_asked_for(provider: MetricsProvider) -> None:
    """The query accepts both spellings of the bucket's bound."""
    planned = plan_counters(Source.ROUTER_LATENCY, replace(asked(), provider=provider))
    window, bounds = planned.texts
    assert 'le=~"250|250\\\\.0|"}[' in window
    assert "envoy_cluster_upstream_rq_time_count" in window
    assert bounds.startswith("count by (le, envoy_cluster_name) (")
    assert 'le!=""' in bounds
    assert "bbbb2222" in window
    assert "bbbb2222" in bounds


def test_latency_is_a_source_of_its_own_with_its_own_ceiling() -> None:
    """Latency shares alpha as another source, with its own ceiling."""
    bounds = limits(ANALYSIS)
    assert sources(ANALYSIS) == (Source.ROUTER, Source.TRITON, Source.ROUTER_LATENCY)
    assert [bounds.ceiling_of(source) for source in bounds.sources] == [0.05, 0.05, 0.1]
    assert bounds.tests == limits(Analysis()).tests + 3


def past(slow: int) -> History:
    """Return a past with 1000 requests on stable without errors."""
    errors = envoy(STABLE, ((0.0, 0.0), (60.0, 1000.0)), response="2")
    answers: dict[Source, Answer] = {
        Source.ROUTER: measured(errors),
        Source.TRITON: measured(),
        Source.ROUTER_LATENCY: measured(*waited(STABLE, (0.0, 0, 0), (60.0, 1000, slow)), *BOUNDS),
    }
    return History(asked(since_=None), answers)


def test_stables_slow_answers_set_the_demands_on_slow_ones_alone() -> None:
    """3 % slow responses give a last level of 9 %; for errors it is the minimum, 1 %."""
    begun = begin(ANALYSIS, 3, past(30), 100.0)
    own = {one.source: demanded(begun, one) for one in begun.sources}
    assert own["Router"] == own["Triton"] == levels(ANALYSIS, 3, 0.0, 0.05)
    assert own["RouterLatency"] == levels(ANALYSIS, 3, 0.03, 0.1)
    assert own["RouterLatency"][-1] == pytest.approx(0.09)


def test_nothing_begins_with_a_threshold_that_is_no_bound() -> None:
    """The message is in the evidence, as for an outage."""
    history = past(0)
    asks = History(replace(history.request, slow_after=300), history.answers)
    begun = begin(ANALYSIS, 3, asks, 100.0)
    assert (begun.verdict, counted_since(begun)) == (Verdict.METRICS_DOWN, None)
    assert "set it to one of 100, 250, 1000" in (begun.message or "")


def polled(evidence: Evidence, now: float, slow: int) -> Evidence:
    """Poll with 100 requests of the canary and 900 of stable, without errors."""
    points = ((now - 15, 0.0), (now, 100.0))
    answers: dict[Source, Answer] = {
        Source.ROUTER: measured(envoy(CANARY, points, response="2")),
        Source.TRITON: measured(
            series(
                points,
                name="nv_inference_request_success",
                namespace="ml",
                pod=f"digits-{CANARY}-x",
                model="digits",
            )
        ),
        Source.ROUTER_LATENCY: measured(
            *waited(CANARY, (now - 15, 0, 0), (now, 100, slow)),
            *waited(STABLE, (now - 15, 0, 0), (now, 900, 9)),
            *BOUNDS,
        ),
    }
    reading = Reading(asked(now, counted_since(evidence)), answers)
    return judge_poll(evidence, reading, ANALYSIS, 0, 3, now).evidence


def test_slow_revision_without_errors_is_aborted() -> None:
    """The message has the threshold and the counts of slow responses."""
    evidence = begin(ANALYSIS, 3, past(10), 100.0)
    for poll in range(4):
        assert evidence.verdict != Verdict.ABORT
        evidence = polled(evidence, 115.0 + 15 * poll, 30)
    assert evidence.verdict == Verdict.ABORT
    assert evidence.message == (
        "120 of 400 responses were slow in the router's histogram (30 %), stable aaaa1111: 36 of"
        " 3600; odds 7600:1 that it is worse; all tests together 1400:1 (abort at 100:1)"
    )


def test_a_quick_revision_passes() -> None:
    """A fast revision passes by all three sources."""
    evidence = begin(ANALYSIS, 3, past(10), 100.0)
    for poll in range(3):
        evidence = polled(evidence, 115.0 + 15 * poll, 1)
    assert evidence.verdict == Verdict.PASS
    assert "3 of 300 responses were slow in the router's histogram" in (evidence.message or "")


def test_latency_declared_in_mid_rollout_has_demands_of_its_own() -> None:
    """Without a baseline its last level is its ceiling."""
    history = past(10)
    begun = begin(Analysis(), 3, history, 100.0)
    later = polled(begun, 115.0, 1)
    own = next(one for one in later.sources if one.source == Source.ROUTER_LATENCY)
    assert own.levels == levels(ANALYSIS, 3, None, 0.1)
