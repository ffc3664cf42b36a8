"""Shared queries to a real Prometheus."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
import requests

from halimede.adapters.prometheus import PrometheusReader
from halimede.api.analysis import MetricsProvider
from halimede.api.sources import Source
from halimede.judge.queries import plan_queries
from halimede.judge.reading import CounterSamples, MetricsRequest, Reading, Series
from tests.prometheus.exposition import ENVOY, PODS, Exposition
from tests.prometheus.judged import Clock
from tests.prometheus.products import PRODUCTS
from tests.support.series import CANARY, STABLE, request
from tests.support.waiting import wait_until, wait_until_async

NAMES = ("digits", "letters", "signs")
"""Prometheus has counters of the first two."""


def expose(counters: Exposition) -> set[str]:
    """Write the counters of all products, and return their pages."""
    for name in NAMES[:2]:
        for revision in (STABLE, CANARY):
            for product in PRODUCTS:
                lines = (
                    *product.answered(revision, 200),
                    *product.answered(revision, 503),
                    *product.called(revision, 13),
                )
                for line in lines:
                    counters.add(product.page, line.replace("digits", name), 7)
    for revision in (STABLE, CANARY):
        counters.http(revision, 2, 5)
        counters.grpc(revision, 3, 5)
        counters.took(revision, 30.0, 5)
        counters.inferred(revision, 5)
    return {ENVOY, *PODS.values(), *(product.page for product in PRODUCTS)}


def ask(provider: MetricsProvider, name: str, now: float, since: float | None) -> MetricsRequest:
    """Return the request of a ModelDeployment."""
    asked = request(now, since, provider=provider)
    backends = tuple(backend._replace(route=f"ml/{name}") for backend in asked.backends)
    latency = provider in {MetricsProvider.CONTOUR, MetricsProvider.ENVOY_GATEWAY}
    return replace(
        asked,
        name=name,
        model=name,
        backends=backends,
        client_errors=name != "letters",
        slow_after=250 if latency else None,
    )


def in_order(reading: Reading) -> dict[str, list[Series]]:
    """Return the answers with their series in a fixed order."""
    answers = reading.history.answers if reading.history else reading.answers
    found: dict[str, list[Series]] = {}
    for source, answer in answers.items():
        assert isinstance(answer, CounterSamples)
        found[source] = sorted(answer.series, key=lambda one: sorted(one.labels.items()))
    return found


@pytest.mark.parametrize("since", [None, 30.0])
async def test_everyone_gets_the_answer_of_their_own_query(
    metrics: PrometheusReader,
    counters: Exposition,
    clock: Clock,
    prometheus: str,
    since: float | None,
) -> None:
    """Given counters of two ModelDeployments, when three share queries, then nothing differs."""
    pages = expose(counters)
    wait_until(lambda: _up(prometheus), lambda jobs: jobs >= len(pages))
    for page in pages:
        counters.remove(page)  # no sample comes between the queries that are compared
    wait_until(lambda: _up(prometheus), lambda jobs: jobs == 0)
    now = clock()
    for provider in (MetricsProvider.CONTOUR, *(product.provider for product in PRODUCTS)):
        planned = [
            plan_queries(ask(provider, name, now, None if since is None else now - since))
            for name in NAMES
        ]
        alone = [in_order(await metrics.read(one)) for one in planned]
        together = await metrics.read_together(planned)
        assert together.together
        assert [in_order(reading) for reading in together.readings] == alone
        assert alone[0][Source.ROUTER]
        assert not alone[2][Source.ROUTER]


async def test_a_broken_limit_of_series_divides_shared_queries(
    metrics: PrometheusReader,
    counters: Exposition,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given two that fit only alone, when they share queries, then both get their answers."""
    expose(counters)
    provider = MetricsProvider.ISTIO

    async def read() -> list[dict[str, list[Series]]]:
        planned = [
            plan_queries(ask(provider, name, clock(), clock() - 30.0)) for name in NAMES[:2]
        ]
        return [in_order(one) for one in (await metrics.read_together(planned)).readings]

    def is_complete(found: Iterable[dict[str, list[Series]]]) -> bool:
        return all(len(one[Source.ROUTER]) == 6 for one in found)

    await wait_until_async(read, is_complete)
    bounds = replace(metrics._counters, max_series=11)
    monkeypatch.setattr(metrics, "_counters", bounds)
    await wait_until_async(read, is_complete)


def _up(url: str) -> int:
    answer = requests.get(f"{url}/api/v1/query", {"query": "sum(up)"}, timeout=5).json()
    result = answer["data"]["result"]
    return int(result[0]["value"][1]) if result else 0
