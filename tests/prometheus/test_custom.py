"""Custom queries on a real Prometheus."""

from dataclasses import replace

from halimede.adapters.prometheus import PrometheusReader
from halimede.api.reasons import UnavailableReason
from halimede.judge.queries import plan_queries
from halimede.judge.query_policy import CustomQueryScope, QueryPolicy
from halimede.judge.reading import Answer, Counts, CustomCounts, DueQuery, Unavailable
from tests.prometheus.exposition import Exposition
from tests.prometheus.judged import Clock
from tests.prometheus.products import APPLICATION
from tests.support.series import CANARY, STABLE, request
from tests.support.waiting import wait_until_async

SEEN = "sum(increase(labelled_total{revision='{{ revision }}'}[{{ window }}]))"
WRONG = "sum(increase(wrong_total{revision='{{ revision }}'}[{{ window }}]))"


async def ask(
    metrics: PrometheusReader,
    clock: Clock,
    requests: str,
    errors: str = WRONG,
    scope: CustomQueryScope = CustomQueryScope.FULL,
) -> Answer:
    """Query the last ten seconds."""
    now = clock()
    indicator = DueQuery("metrics/accuracy", requests, errors, 10.0)
    metrics_request = replace(request(now, now), indicators=(indicator,))
    queries = plan_queries(metrics_request, QueryPolicy(custom=scope))
    return (await metrics.read(queries)).answers["metrics/accuracy"]


async def test_numbers_come_rounded_and_no_errors_are_none(
    metrics: PrometheusReader, clock: Clock, counters: Exposition
) -> None:
    """One revision has a hundred requests; the other has no series and so no answer."""
    line = f'labelled_total{{revision="{CANARY}"}}'
    counters.add(APPLICATION, line, 0)
    nothing = CustomCounts(None, Counts(0, 0))
    await wait_until_async(lambda: ask(metrics, clock, SEEN), lambda said: said == nothing)
    counters.add(APPLICATION, line, 100)

    def is_hundred(said: Answer) -> bool:
        assert isinstance(said, CustomCounts)
        assert said.canary is not None
        return 80 <= said.canary.requests <= 120 and said.canary.errors == 0

    await wait_until_async(lambda: ask(metrics, clock, SEEN), is_hundred)


async def test_prometheus_error_about_a_query_is_reported(
    metrics: PrometheusReader, clock: Clock, counters: Exposition
) -> None:
    """Errors are HTTP 400 for invalid syntax, 422 for execution, and several series."""
    for revision in (CANARY, STABLE):
        for job in ("a", "b"):
            counters.add(APPLICATION, f'labelled_total{{revision="{revision}",task="{job}"}}', 5)
    unreadable = await ask(metrics, clock, "sum(labelled{{ revision }}[{{ window }}]")
    assert isinstance(unreadable, Unavailable)
    assert unreadable.why is UnavailableReason.REJECTED
    assert "HTTP 400" in unreadable.message
    several = "last_over_time(labelled_total{revision='{{ revision }}'}[{{ window }}])"
    await wait_until_async(
        lambda: ask(metrics, clock, several),
        lambda said: isinstance(said, Unavailable) and "2 series" in said.message,
    )
    ambiguous = await ask(metrics, clock, f"{several} * on(instance) {several}")
    assert isinstance(ambiguous, Unavailable)
    assert ambiguous.why is UnavailableReason.REJECTED
    assert "HTTP 422" in ambiguous.message
