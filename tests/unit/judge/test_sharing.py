"""Shared queries: everyone gets the answer of their own query."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halimede.api.analysis import MetricsProvider
from halimede.api.sources import Source, SourceId
from halimede.judge.providers.registry import ROUTERS
from halimede.judge.queries import plan_counters
from halimede.judge.query_policy import QueryPolicy
from halimede.judge.reading import BackendPosition, CounterSamples, MetricsRequest, Sample, Series
from halimede.judge.sharing import MAX_CHARACTERS, Asked, Shared, halve, join, split
from tests.support.promql import evaluate, judged
from tests.support.series import CANARY, STABLE, request

NOW = 100_000.0
NAMES = ("digits", f"digits-{STABLE}", "dig.ts", "a")
"""One is the beginning of another one's Services, and one is a pattern if it is not escaped."""
REVISIONS = (STABLE, CANARY, "cccc3333")
POLICY = QueryPolicy(matchers=(("cluster", "eu"),))
ENVOY = (
    ("envoy_cluster_upstream_rq_total", {}),
    ("envoy_cluster_upstream_rq_xx", {"envoy_response_code_class": "5"}),
    ("envoy_cluster_grpc_3", {}),
    ("envoy_cluster_upstream_rq_time_count", {}),
    ("envoy_cluster_upstream_rq_time_bucket", {"le": "250.0"}),
    ("envoy_cluster_upstream_rq_time_bucket", {"le": "1000"}),
)
CASES = [
    *((provider, Source.ROUTER) for provider in ROUTERS),
    (MetricsProvider.CONTOUR, Source.ROUTER_LATENCY),
    (MetricsProvider.ENVOY_GATEWAY, Source.ROUTER_LATENCY),
    (MetricsProvider.NONE, Source.TRITON),
]


def ask(
    provider: MetricsProvider,
    name: str = "digits",
    *,
    stable: str = STABLE,
    canary: str = CANARY,
    since: float | None = NOW - 30.0,
) -> MetricsRequest:
    """Return the request of a ModelDeployment."""
    return replace(
        request(NOW, since, provider=provider),
        name=name,
        model=name,
        stable=stable,
        canary=canary,
        slow_after=250,
        backends=tuple(
            BackendPosition(f"ml/{name}", rule, place, revision, port)
            for rule, port in ((0, 8001), (1, 8000))
            for place, revision in ((0, stable), (1, canary))
        ),
    )


def labels_of(provider: MetricsProvider, source: SourceId) -> list[dict[str, str]]:
    """Return the labels of the counters of all names and revisions, and of others."""
    label = _label_triton if source == Source.TRITON else _ROUTERS.get(provider, _label_envoy)
    pairs = product((*NAMES, "digxts", "other"), REVISIONS)
    return [labels for name, revision in pairs for labels in label(name, revision)]


def _label_triton(name: str, revision: str) -> Iterator[dict[str, str]]:
    for model, pod in product((name, "digits"), ("x", f"{CANARY}-x")):
        labels = {"namespace": "ml", "pod": f"{name}-{revision}-{pod}", "model": model}
        yield {"__name__": "nv_inference_request_success", **labels}
        for reason in ("BACKEND", "CANCELED"):
            yield {"__name__": "nv_inference_request_failure", **labels, "reason": reason}


def _label_istio(name: str, revision: str) -> Iterator[dict[str, str]]:
    for namespace in ("ml", "other"):
        yield {
            "__name__": "istio_requests_total",
            "reporter": "source",
            "destination_service_namespace": namespace,
            "destination_service_name": f"{name}-{revision}",
        }


def _label_traefik(name: str, revision: str) -> Iterator[dict[str, str]]:
    routes = ("", "httproute-ml-r-gw-0-svc-")
    for label, route in product(("service", "exported_service"), routes):
        service = f"{route}ml-{name}-{revision}-8000@kubernetesgateway"
        yield {"__name__": "traefik_service_requests_total", label: service}


def _label_nginx(name: str, revision: str) -> Iterator[dict[str, str]]:
    for suffix in ("", "-grpc"):
        yield {
            "__name__": "nginx_ingress_controller_requests",
            "ingress": f"{name}{suffix}",
            "canary": f"ml-{name}-{revision}-8000",
        }


def _label_envoy(name: str, revision: str) -> Iterator[dict[str, str]]:
    service = f"{name}-{revision}"
    clusters = (
        f"ml_{service}_8000",
        f"other_{service}_8001",
        f"httproute/ml/{name}/rule/1/backend/{REVISIONS.index(revision)}",
        f"service/ml/{service}/8000",
        f"service/ml/{service}/8001/grpc",
    )
    for cluster, (metric, more) in product(clusters, ENVOY):
        yield {"__name__": metric, "envoy_cluster_name": cluster, **more}


_ROUTERS = {
    MetricsProvider.ISTIO: _label_istio,
    MetricsProvider.TRAEFIK: _label_traefik,
    MetricsProvider.INGRESS_NGINX: _label_nginx,
}


@st.composite
def requests(draw: st.DrawFn, provider: MetricsProvider) -> MetricsRequest:
    """Draw what a ModelDeployment asks for."""
    asked = ask(
        provider,
        draw(st.sampled_from(NAMES)),
        stable=draw(st.sampled_from(REVISIONS)),
        canary=draw(st.sampled_from(REVISIONS)),
        since=draw(st.sampled_from((None, NOW, NOW - 29.5, NOW - 1000.0, NOW - 50_000.0))),
    )
    return replace(
        asked,
        client_errors=draw(st.booleans()),
        slow_after=draw(st.sampled_from((250, 1000, 7))),
        stable_since=draw(st.sampled_from((0.0, NOW - 100.0))),
    )


SAMPLES = st.lists(
    st.tuples(
        st.sampled_from((0.0, 15.0, 599.0, 600.0, 615.0, 630.0, 1599.5, 1600.0, 7200.0, 22_200.0)),
        st.sampled_from((3.0, 7.0, math.nan)),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: tuple(Sample(NOW - age, value) for age, value in sorted(pairs, reverse=True)))


def answers(asked: Sequence[Asked], stored: Sequence[Series]) -> dict[int, CounterSamples]:
    """Return the answer of each poll from shared queries."""
    split_answers: dict[int, CounterSamples] = {}
    for shared in join(asked):
        results = [evaluate(text, stored, NOW) for text in shared.queries.texts]
        for member, answer in zip(shared.members, split(shared, results), strict=True):
            split_answers[member.poll] = answer
    return split_answers


@pytest.mark.parametrize(("provider", "source"), CASES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_everyone_gets_the_answer_of_their_own_query(
    provider: MetricsProvider, source: SourceId, data: st.DataObject
) -> None:
    """Series and samples are those of the own query, for every product and any company."""
    polls = data.draw(st.lists(requests(provider), min_size=1, max_size=6))
    stored = [
        Series(labels, data.draw(SAMPLES))
        for labels in data.draw(
            st.lists(
                st.sampled_from(labels_of(provider, source)),
                max_size=40,
                unique_by=lambda labels: str(sorted(labels.items())),
            )
        )
    ]
    asked = [Asked(poll, plan_counters(source, one)) for poll, one in enumerate(polls)]
    shared = answers(asked, stored)
    for poll, own in asked:
        results = [evaluate(text, stored, NOW) for text in own.texts]
        expected = [series for result in results for series in _without_owner(result)]
        assert judged(shared[poll].series) == judged(expected)


@pytest.mark.parametrize(("provider", "source"), CASES)
def test_everyone_gets_their_own_window_and_series(
    provider: MetricsProvider, source: SourceId
) -> None:
    """All counters exist, with samples around the beginning of each window."""
    stored = [
        Series(labels, tuple(Sample(NOW - age, 1.0) for age in range(800, 0, -10)))
        for labels in labels_of(provider, source)
    ]
    polls = [
        ask(provider, name, stable=stable, canary=canary, since=NOW - ago)
        for ago, (name, (stable, canary)) in enumerate(
            product(NAMES, pairwise((*REVISIONS, STABLE))), start=10
        )
    ]
    asked = [Asked(poll, plan_counters(source, one)) for poll, one in enumerate(polls)]
    assert len(join(asked)) == 1
    shared = answers(asked, stored)
    for poll, own in asked:
        results = [evaluate(text, stored, NOW) for text in own.texts]
        expected = [series for result in results for series in _without_owner(result)]
        assert expected
        assert judged(shared[poll].series) == judged(expected)


def _without_owner(result: Sequence[Series]) -> Iterator[Series]:
    """Yield the series of an answer; of a counted one only the distinct bounds."""
    bounds = {series.labels["le"] for series in result if not series.samples}
    yield from (series for series in result if series.samples)
    yield from (Series({"le": bound}, ()) for bound in bounds)


@pytest.mark.parametrize(("provider", "source"), CASES)
def test_alike_polls_are_one_query_for_each_text(
    provider: MetricsProvider, source: SourceId
) -> None:
    """Ten ModelDeployments take as many queries as one, and each gets its own counters."""
    asked = [
        Asked(number, plan_counters(source, ask(provider, f"model{number}")))
        for number in range(10)
    ]
    (shared,) = join(asked)
    assert len(shared.queries.texts) == len(asked[0].queries.texts)
    assert shared.members == tuple(asked)


def test_a_lone_poll_sends_its_own_query() -> None:
    """Nothing is added to it."""
    own = plan_counters(Source.ROUTER, ask(MetricsProvider.CONTOUR))
    assert join([Asked(0, own)]) == [Shared((Asked(0, own),), own)]


@pytest.mark.parametrize("provider", ROUTERS)
def test_a_shared_query_fits_into_a_url(provider: MetricsProvider) -> None:
    """Many long names are divided, and each poll is in one part."""
    asked = [
        Asked(number, plan_counters(Source.ROUTER, ask(provider, f"{'m' * 40}-{number}")))
        for number in range(60)
    ]
    parts = join(asked)
    assert 1 < len(parts) < len(asked)
    assert [member.poll for part in parts for member in part.members] == list(range(60))
    for part in parts:
        for text in part.queries.texts:
            assert len(re.findall("m{40}", text)) >= 1
            assert len(text) < MAX_CHARACTERS + 500


def test_a_long_window_is_asked_for_apart() -> None:
    """A rollout whose counters were missing for an hour does not make all answers large."""
    provider = MetricsProvider.CONTOUR
    watermarks = (NOW - 20.0, NOW - 3600.0, NOW - 40.0)
    asked = [
        Asked(number, plan_counters(Source.ROUTER, ask(provider, f"m{number}", since=since)))
        for number, since in enumerate(watermarks)
    ]
    parts = join(asked)
    assert [[member.poll for member in part.members] for part in parts] == [[0, 2], [1]]
    assert [part.queries.window for part in parts] == [640.0, 4200.0]


def test_the_administrators_matchers_are_in_a_shared_query_too() -> None:
    """A shared query reads no other series than the queries of those that share it."""
    asked = [
        Asked(number, plan_counters(Source.TRITON, ask(MetricsProvider.NONE, name), POLICY))
        for number, name in enumerate(("digits", "letters"))
    ]
    (shared,) = join(asked)
    (text,) = shared.queries.texts
    assert text.startswith('{cluster="eu",')
    assert 'namespace="ml"' in text


def test_queries_that_are_not_answered_are_halved_down_to_one() -> None:
    """Each half is shared again; a single poll cannot be divided."""
    own = [
        Asked(number, plan_counters(Source.TRITON, ask(MetricsProvider.NONE, f"m{number}")))
        for number in range(3)
    ]
    (shared,) = join(own)
    first, second = halve(shared)
    assert (first.members, second.members) == ((own[0],), (own[1], own[2]))
    assert first.queries == own[0].queries
    assert halve(first) == ()


def test_splitting_looks_at_each_value_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work grows with the series and the ModelDeployments, not with their product."""
    tried: list[str] = []

    class Counted:
        def __init__(self, pattern: re.Pattern[str], members: int) -> None:
            self.pattern, self.members, self._own = self, members, pattern

        def fullmatch(self, value: str) -> object:
            tried.append(value)
            return self._own.fullmatch(value)

    monkeypatch.setattr("halimede.judge.sharing._Pattern", Counted)
    revisions = [(f"aaaa{number:04d}", f"bbbb{number:04d}") for number in range(40)]
    asked = [
        Asked(
            number,
            plan_counters(
                Source.TRITON,
                ask(MetricsProvider.NONE, f"m{number}", stable=stable, canary=canary),
            ),
        )
        for number, (stable, canary) in enumerate(revisions)
    ]
    counters = [
        Series(
            {
                "__name__": metric,
                "namespace": "ml",
                "pod": f"m{number}-{revision}-{pod}",
                "model": f"m{number}",
                "version": str(version),
            },
            (Sample(NOW - 1.0, 1.0),),
        )
        for number, pair in enumerate(revisions)
        for revision in pair
        for pod in range(5)
        for version in range(3)
        for metric in ("nv_inference_request_success", "nv_inference_request_failure")
    ]
    (shared,) = join(asked)
    each = split(shared, [counters])
    assert [len(answer.series) for answer in each] == [60] * 40
    assert len(tried) == 400  # pods
