"""The judge with a real Prometheus."""

from dataclasses import replace

import pytest

from halimede.adapters.prometheus import PrometheusReader
from halimede.api.analysis import Analysis, Latency
from halimede.api.reasons import UnavailableReason, Verdict
from halimede.api.sources import Source
from halimede.api.status import Evidence
from halimede.judge.counter_queries import CounterQueries
from halimede.judge.promql import Query
from halimede.judge.queries import plan_queries
from halimede.judge.reading import (
    CounterSamples,
    Counts,
    MetricsQueries,
    Unavailable,
)
from tests.prometheus.exposition import PODS, Exposition
from tests.prometheus.judged import Clock, Judged
from tests.support.series import CANARY, STABLE, request
from tests.support.waiting import wait_until_async


@pytest.fixture
async def judged(metrics: PrometheusReader, counters: Exposition, clock: Clock) -> Judged:
    """Start to judge with 1000 requests in each revision's past."""
    for revision in (STABLE, CANARY):
        counters.http(revision, 2, 1000)
        counters.inferred(revision, 1000)
    watched = Judged(metrics, clock)
    await watched.begin()
    return watched


async def test_what_was_before_the_beginning_does_not_count(
    judged: Judged, counters: Exposition
) -> None:
    """Of 1000 requests in the past and 7 now, 7 count; no error counter means no error."""
    counters.http(CANARY, 2, 7)
    counters.inferred(CANARY, 7)
    await judged.sees(Source.ROUTER, Counts(7, 0))
    await judged.sees(Source.TRITON, Counts(7, 0))


async def test_an_error_counter_that_appears_counts_from_zero(
    judged: Judged, counters: Exposition
) -> None:
    """The first three errors at once count, although `increase()` would not count them."""
    counters.http(CANARY, 5, 3)
    counters.grpc(CANARY, 13, 4)
    await judged.sees(Source.ROUTER, Counts(7, 7))


async def test_a_restart_loses_nothing_and_counts_nothing_twice(
    judged: Judged, counters: Exposition
) -> None:
    """Five requests before a restart and six after it are eleven."""
    counters.inferred(CANARY, 5)
    await judged.sees(Source.TRITON, Counts(5, 0))
    counters.restart(PODS[f"digits-{CANARY}-x"])
    counters.inferred(CANARY, 4)
    counters.inferred(CANARY, 2, failed=True)
    await judged.sees(Source.TRITON, Counts(11, 2))


SLOW = Analysis(latency=Latency(threshold_milliseconds=250))


async def test_slow_answers_are_counted_by_the_histogram(
    judged: Judged, counters: Exposition
) -> None:
    """Responses at the bound are not slow, in any spelling of the bound."""
    judged.analysis = SLOW
    await judged.begin()
    for milliseconds, amount in ((20.0, 5), (250.0, 4), (251.0, 2), (5000.0, 1)):
        counters.took(CANARY, milliseconds, amount)
    counters.took(STABLE, 30.0, 40)
    await judged.sees(Source.ROUTER_LATENCY, Counts(12, 3))
    await judged.sees(Source.ROUTER_LATENCY, Counts(40, 0), STABLE)


async def test_a_threshold_that_is_no_bound_is_rejected_with_the_bounds(
    judged: Judged, counters: Exposition
) -> None:
    """A threshold that is no bound is reported before anything is judged."""
    judged.analysis = Analysis(latency=Latency(threshold_milliseconds=300))
    counters.took(STABLE, 20.0)

    async def rejected() -> bool:
        judged.evidence = Evidence()
        return await judged.says_no()

    await wait_until_async(rejected, explain=lambda: repr(judged.evidence))
    assert judged.evidence.message == (
        "spec.rollout.analysis.latency.thresholdMilliseconds 300 is not a bound of"
        " envoy_cluster_upstream_rq_time: set it to one of 25, 100, 250, 1000"
    )


async def test_polls_while_counters_grow_add_up_to_what_happened(
    judged: Judged, counters: Exposition
) -> None:
    """The sum is exact with polls between and during scrapes."""
    for turn in range(40):
        counters.http(CANARY, 5 if turn % 4 == 0 else 2, 3)
        counters.http(STABLE, 2, 20)
        counters.inferred(CANARY, 3, failed=turn % 4 == 0)
        await judged.poll()
    await judged.sees(Source.ROUTER, Counts(120, 30))
    await judged.sees(Source.ROUTER, Counts(800, 0), STABLE)
    await judged.sees(Source.TRITON, Counts(120, 30))


async def test_bad_canary_is_aborted_by_real_counters(
    judged: Judged, counters: Exposition
) -> None:
    """A revision with errors only in gRPC is stopped."""

    async def answer_and_poll() -> Verdict:
        counters.http(STABLE, 2, 100)
        counters.http(CANARY, 2, 10)
        counters.grpc(CANARY, 2, 10)
        counters.inferred(CANARY, 20)
        return await judged.poll()

    await wait_until_async(
        answer_and_poll,
        lambda verdict: verdict is Verdict.ABORT,
        explain=lambda: repr(judged.evidence),
    )
    assert "at the router" in (judged.evidence.message or "")


async def test_a_target_that_is_gone_is_no_data_after_a_while(
    judged: Judged, counters: Exposition
) -> None:
    """The last samples of a lost target neither pass nor stop a rollout."""
    counters.http(CANARY, 2, 50)
    counters.inferred(CANARY, 50)
    await judged.sees(Source.TRITON, Counts(50, 0))
    counters.remove(PODS[f"digits-{CANARY}-x"])
    assert await judged.poll(later=60.0) is not Verdict.NO_DATA
    assert await judged.poll(later=300.0) is Verdict.NO_DATA
    assert "last scrape" in (judged.evidence.message or "")


async def test_a_source_without_any_counter_is_an_answer(
    metrics: PrometheusReader, clock: Clock
) -> None:
    """A query without matching series is an answer, not an error."""
    absent = replace(request(clock(), clock()), name="absent")
    reading = await metrics.read(plan_queries(absent))
    assert reading.answers == {
        Source.ROUTER: CounterSamples(()),
        Source.TRITON: CounterSamples(()),
    }


async def test_a_query_that_prometheus_cannot_read_is_rejected_not_down(
    metrics: PrometheusReader, clock: Clock
) -> None:
    """HTTP 400 is a permanent error with Prometheus's message."""
    query = Query({"}{": ("",)})
    broken = {Source.ROUTER: CounterQueries(Source.ROUTER, (query,), window=60.0, now=clock())}
    reading = await metrics.read(MetricsQueries(request(clock(), clock()), broken))
    answer = reading.answers[Source.ROUTER]
    assert isinstance(answer, Unavailable)
    assert answer.why is UnavailableReason.REJECTED
    assert "HTTP 400" in answer.message
    assert "parse error" in answer.message


async def test_a_prometheus_that_is_gone_is_unreachable_and_the_evidence_stays(
    judged: Judged, counters: Exposition
) -> None:
    """The verdict is MetricsDown, and the counts are kept."""
    counters.http(CANARY, 5, 3)
    await judged.sees(Source.ROUTER, Counts(3, 3))
    judged.metrics.close()
    judged.metrics = PrometheusReader("http://127.0.0.1:9")
    assert await judged.poll() is Verdict.METRICS_DOWN
    assert judged.counted(Source.ROUTER) == Counts(3, 3)
    assert "HALIMEDE_PROMETHEUS_URL" in (judged.evidence.message or "")
    judged.metrics.close()
