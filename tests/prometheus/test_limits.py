"""Queries that are limited to some series, as a real Prometheus reads them."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halimede.adapters.prometheus import PrometheusReader
from halimede.api.query import UnusableQueryError
from halimede.api.sources import Source
from halimede.judge.promql_functions import AGGREGATIONS, FUNCTIONS
from halimede.judge.queries import plan_queries
from halimede.judge.query_policy import CustomQueryScope, QueryPolicy
from halimede.judge.reading import CounterSamples, CustomCounts
from halimede.judge.selectors import add_matchers
from tests.prometheus.exposition import Exposition
from tests.prometheus.judged import Clock
from tests.prometheus.products import APPLICATION
from tests.prometheus.test_custom import ask
from tests.support.series import CANARY, STABLE, request
from tests.support.waiting import wait_until_async

PIECES = st.sampled_from(
    [
        *("a", "b:c", "sum", "rate", "by", "on", "bool", "offset", "group_left", "and", "inf"),
        *(
            "(",
            ")",
            "{",
            "}",
            "[5m]",
            "[1h:]",
            ",",
            "=",
            "=~",
            "!=",
            "+",
            "-",
            ">",
            "@",
            "5m",
            "1",
        ),
        *('"x"', "'}'", "`\\`", '"\\"', "#", "\n", "\r", " ", "namespace", '"namespace"', "or"),
        *("start()", "without", "ignoring", "{namespace=", "l", "\u00a0", "\x0b", "/*", "unless"),
    ]
)


def parsed(url: str, query: str) -> Any:
    """Return the syntax tree of a query; None: Prometheus rejects it."""
    answer = requests.get(f"{url}/api/v1/parse_query", {"query": query}, timeout=30).json()
    return answer["data"] if answer["status"] == "success" else None


def selectors(tree: Any) -> Iterator[list[dict[str, str]]]:
    """Yield the matchers of every selector in a syntax tree."""
    if isinstance(tree, dict):
        if isinstance(tree.get("matchers"), list):
            yield tree["matchers"]
        for part in tree.values():
            yield from selectors(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from selectors(part)


def check(url: str, query: str) -> bool:
    """Check that a limited query reads no other series; return whether it is valid."""
    tree = parsed(url, add_matchers(query, {"namespace": "ml"}))
    for matchers in selectors(tree):
        assert {"name": "namespace", "type": "=", "value": "ml"} in matchers
    return tree is not None


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("a", 1),
        ('{__name__=~".+"} # {namespace="ml"}', 1),
        ('sum by (b) (rate(a{c="}"}[5m])) / on(b) group_left(d) (x offset 5m)', 2),
        ("max_over_time(rate(a[5m])[1h:1m] @ end()) or vector(0)", 1),
        ("sum + on() avg and by unless without", 4),
        ("a > bool b", 2),
        ("{'a.b'} + x", 2),
        ("-offset offset 5m", 1),
    ],
)
def test_prometheus_finds_the_matcher_in_every_selector(
    prometheus: str, query: str, count: int
) -> None:
    """Valid queries stay valid, and have as many selectors as before."""
    assert check(prometheus, query)
    assert len(list(selectors(parsed(prometheus, query)))) == count


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_no_query_escapes_the_matcher(prometheus: str, query: str) -> None:
    """What is not rejected has the matcher in every selector that Prometheus finds."""
    try:
        check(prometheus, query)
    except UnusableQueryError:
        return


def test_the_functions_are_those_of_prometheus(prometheus: str) -> None:
    """A function that this Prometheus does not have is one of another version."""
    arguments = ("", "a", "a[5m]", "1", "1,a", "1,a[5m]", '"b",a', "a[5m],1", "a[5m],1,1")
    others = (
        "a,1",
        "a,1,1",
        '"b",1,a',
        "0.1,0.2,a",
        'a,"b","c","d","e"',
        'a,"b","c","d"',
        'a,"b"',
    )
    unknown = {
        name
        for name in FUNCTIONS | AGGREGATIONS
        if not any(parsed(prometheus, f"{name}({one})") for one in (*arguments, *others))
    }
    experimental = {name for name in FUNCTIONS | AGGREGATIONS if _is_experimental(name)}
    assert unknown <= experimental | {"holt_winters"}


def _is_experimental(name: str) -> bool:
    return name.startswith(("limit", "sort_by_label", "ts_of_", "first_over")) or name in {
        "double_exponential_smoothing",
        "mad_over_time",
    }


async def test_a_query_reads_only_its_own_namespace(
    metrics: PrometheusReader, clock: Clock, counters: Exposition
) -> None:
    """What another namespace counts is not in the answer, whatever the query says."""
    query = "sum(increase(paid_total[{{ window }}])) # {{ revision }}"

    async def counted() -> tuple[int, int]:
        counters.add(APPLICATION, 'paid_total{namespace="ml"}', 1)
        counters.add(APPLICATION, 'paid_total{namespace="other"}', 100)
        scopes = (CustomQueryScope.NAMESPACED, CustomQueryScope.FULL)
        own, full = [await ask(metrics, clock, query, scope=scope) for scope in scopes]
        assert isinstance(own, CustomCounts)
        assert isinstance(full, CustomCounts)
        return (
            own.canary.requests if own.canary else 0,
            full.canary.requests if full.canary else 0,
        )

    await wait_until_async(counted, lambda seen: 0 < 20 * seen[0] <= seen[1])


async def test_series_of_another_cluster_do_not_count(
    metrics: PrometheusReader, clock: Clock, counters: Exposition
) -> None:
    """One Prometheus for two clusters: the matcher selects one's own series."""
    for cluster in ("eu", "us"):
        for revision in (STABLE, CANARY):
            name = f'envoy_cluster_name="ml_digits-{revision}_8000"'
            counters.add(
                "/envoy", f'envoy_cluster_upstream_rq_total{{site="{cluster}",{name}}}', 5
            )
    policy = QueryPolicy(matchers=(("site", "eu"),))

    async def sites() -> set[str | None]:
        queries = plan_queries(request(clock(), clock()), policy)
        answer = (await metrics.read(queries)).answers[Source.ROUTER]
        assert isinstance(answer, CounterSamples)
        return {series.labels.get("site") for series in answer.series}

    assert await wait_until_async(sites) == {"eu"}
