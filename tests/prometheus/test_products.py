"""Each router's counters through a real Prometheus."""

import math
from dataclasses import replace

import pytest

from halimede.adapters.prometheus import PrometheusReader
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.counts import WindowCounts, count_window
from halimede.judge.queries import plan_queries
from halimede.judge.reading import CounterSamples, Counts, Unavailable
from tests.prometheus.exposition import Exposition
from tests.prometheus.judged import Clock, Judged
from tests.prometheus.products import PRODUCTS, REPLICATED, Product
from tests.support.series import CANARY, STABLE, request
from tests.support.waiting import wait_until_async


class Router:
    """A router with settable counters."""

    def __init__(self, product: Product, counters: Exposition) -> None:
        """Start without counts."""
        self.product = product
        self.counters = counters

    def answered(self, revision: str, status: int, amount: int) -> None:
        """Count HTTP requests."""
        for line in self.product.answered(revision, status):
            self.counters.add(self.product.page, line, amount)

    def called(self, revision: str, code: int, amount: int) -> None:
        """Count gRPC calls."""
        for line in self.product.called(revision, code):
            self.counters.add(self.product.page, line, amount)

    def left(self, revision: str, amount: int) -> None:
        """Count HTTP requests that were cancelled before the response."""
        for line in self.product.left(revision):
            self.counters.add(self.product.page, line, amount)


@pytest.fixture(params=PRODUCTS, ids=lambda product: product.provider)
def router(request: pytest.FixtureRequest, counters: Exposition) -> Router:
    """Return each router in turn."""
    return Router(request.param, counters)


@pytest.fixture
async def judged(
    router: Router, metrics: PrometheusReader, counters: Exposition, clock: Clock
) -> Judged:
    """Start to judge with 1000 requests in each revision's past."""
    for revision in (STABLE, CANARY):
        router.answered(revision, 200, 1000)
        counters.inferred(revision, 1000)
    watched = Judged(metrics, clock, router.product.provider)
    await watched.begin()
    return watched


async def test_counts_are_exact_through_first_samples_and_restarts(
    judged: Judged, router: Router, counters: Exposition
) -> None:
    """Counts are exact with three errors in a new series and after a proxy's restart."""
    router.answered(CANARY, 200, 7)
    router.answered(STABLE, 200, 20)
    await judged.sees(Source.ROUTER, Counts(7, 0))
    router.answered(CANARY, 503, 3)
    router.answered(CANARY, 404, 2)
    await judged.sees(Source.ROUTER, Counts(12, 3))
    counters.restart(router.product.page)
    router.answered(CANARY, 200, 4)
    router.answered(CANARY, 503, 1)
    await judged.sees(Source.ROUTER, Counts(17, 4))
    assert judged.counted(Source.ROUTER, STABLE) == Counts(20, 0)


async def test_grpc_errors_show_where_the_router_knows_them(
    judged: Judged, router: Router
) -> None:
    """Of six calls two are INTERNAL and one is a client error."""
    router.called(CANARY, 0, 3)
    router.called(CANARY, 13, 2)
    router.called(CANARY, 3, 1)
    errors = 2 if router.product.tells_grpc else 0
    await judged.sees(Source.ROUTER, Counts(6, errors))


async def test_a_client_that_left_before_the_response_is_an_error(
    judged: Judged, router: Router
) -> None:
    """A request cancelled before the response is an error, for each router and revision."""
    router.answered(CANARY, 200, 5)
    router.left(CANARY, 3)
    router.left(STABLE, 2)
    await judged.sees(Source.ROUTER, Counts(8, 3))
    assert judged.counted(Source.ROUTER, STABLE) == Counts(2, 2)


@pytest.mark.usefixtures("judged")
async def test_client_errors_are_read_from_the_same_answer(
    router: Router, metrics: PrometheusReader, clock: Clock
) -> None:
    """Client errors are read for HTTP and, if the router has codes, for gRPC."""
    begun = clock()
    router.answered(CANARY, 200, 5)
    router.answered(CANARY, 422, 4)
    router.answered(CANARY, 503, 2)
    router.called(CANARY, 3, 3)
    router.left(CANARY, 1)
    provider = router.product.provider

    async def seen() -> Counts:
        metrics_request = replace(request(clock(), begun, provider=provider), client_errors=True)
        answer = (await metrics.read(plan_queries(metrics_request))).answers[Source.ROUTER]
        assert isinstance(answer, CounterSamples)
        result = count_window(
            Source.ROUTER,
            answer,
            metrics_request,
            begun_at=begun,
            after=begun,
            pods_started={},
        )
        assert isinstance(result, WindowCounts)
        return result.client_errors.canary

    expected = Counts(15, 7 if router.product.tells_grpc else 4)
    await wait_until_async(seen, lambda counted: counted == expected)


async def test_no_number_is_no_sample(
    metrics: PrometheusReader, counters: Exposition, clock: Clock
) -> None:
    """A counter that is NaN for a while loses no counts."""
    router = Router(PRODUCTS[1], counters)
    for revision in (STABLE, CANARY):
        router.answered(revision, 200, 1000)
        counters.inferred(revision, 1000)
    judged = Judged(metrics, clock, router.product.provider)
    await judged.begin()
    (line,) = router.product.answered(CANARY, 200)
    page = counters.pages[router.product.page]
    page[line] = math.nan
    router.answered(STABLE, 200, 5)
    await judged.sees(Source.ROUTER, Counts(5, 0), STABLE)
    assert judged.counted(Source.ROUTER) == Counts(0, 0)
    page[line] = 1009
    await judged.sees(Source.ROUTER, Counts(9, 0))


async def test_what_two_replicas_of_prometheus_have_scraped_is_rejected(
    metrics: PrometheusReader, counters: Exposition, clock: Clock
) -> None:
    """Data of two replicas are rejected, because every request is in them twice."""
    for product in PRODUCTS:
        for line in (*product.answered(CANARY, 200), *product.answered(STABLE, 200)):
            counters.add(REPLICATED, line, 10)

    async def counted() -> list[object]:
        now = clock()
        text: list[object] = []
        for product in PRODUCTS:
            metrics_request = request(now, now - 60, provider=product.provider)
            answer = (await metrics.read(plan_queries(metrics_request))).answers[Source.ROUTER]
            assert isinstance(answer, CounterSamples)
            text.append(
                count_window(
                    Source.ROUTER,
                    answer,
                    metrics_request,
                    begun_at=now,
                    after=now - 60,
                    pods_started={},
                )
            )
        return text

    await wait_until_async(
        counted,
        lambda said: all(
            isinstance(one, Unavailable) and one.why is UnavailableReason.DOUBLED for one in said
        ),
    )
