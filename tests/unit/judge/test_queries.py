import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.api.analysis import MetricsProvider
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.promql import literal
from halimede.judge.providers.registry import ROUTERS
from halimede.judge.queries import plan_counters, plan_queries
from halimede.judge.query_policy import CustomQueryScope, QueryPolicy
from halimede.judge.reading import CustomQueries, DueQuery, MetricsRequest, Unavailable
from tests.support.series import CANARY, STABLE, request


def query(source: Source, request: MetricsRequest) -> str:
    """Return the only query of a source."""
    (text,) = plan_counters(source, request).texts
    return text


def matched(text: str, label: str) -> re.Pattern[str]:
    """Return the regular expression of a label in a query, as Prometheus reads it."""
    found = re.search(rf'{label}=~("(?:[^"\\]|\\.)*")', text)
    assert found is not None
    return re.compile(json.loads(found[1]))


def test_the_router_is_asked_for_both_ports_of_both_revisions() -> None:
    """The query matches both ports of both revisions and no others."""
    clusters = matched(query(Source.ROUTER, request()), "envoy_cluster_name")
    for revision in (STABLE, CANARY):
        for port in (8000, 8001):
            assert clusters.fullmatch(f"ml_digits-{revision}_{port}")
    assert not clusters.fullmatch(f"ml_digits-{STABLE}_8002")
    assert not clusters.fullmatch(f"other_digits-{STABLE}_8000")


def test_triton_is_asked_for_the_pods_of_both_revisions() -> None:
    """The query does not match a model with the same prefix."""
    pods = matched(query(Source.TRITON, request()), "pod")
    assert pods.fullmatch(f"digits-{CANARY}-5d9c7b-x2x2x")
    assert not pods.fullmatch(f"digits-more-{CANARY}-5d9c7b-x2x2x")


def test_the_past_is_the_stable_revisions_alone() -> None:
    """The query for the past covers two hours of the stable revision."""
    text = query(Source.TRITON, request(since=None))
    assert not matched(text, "pod").fullmatch(f"digits-{CANARY}-x")
    assert text.endswith("[7200s]")


@pytest.mark.parametrize(
    ("now", "window"), [(100.5, "701s"), (0.0, "600s"), (-50.0, "600s"), (1e6, "22200s")]
)
def test_the_window_reaches_ten_minutes_behind_the_watermark(now: float, window: str) -> None:
    """The window is at most six hours, and never negative if clocks differ."""
    assert query(Source.ROUTER, request(now=now, since=0.0)).endswith(f"[{window}]")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])))
def test_no_model_name_can_break_out_of_its_quotes(model: str) -> None:
    """Any model name is quoted as text for Prometheus."""
    text = query(Source.TRITON, replace(request(), model=model))
    match = re.search(r', model=("(?:[^"\\]|\\.)*"), reason!="CANCELED"}\[\d+s\]$', text)
    assert match is not None
    assert json.loads(match[1]) == model


def test_what_promql_has_no_literal_for_is_rejected() -> None:
    """A value without a PromQL literal raises an error."""
    with pytest.raises(TypeError, match="no literal for list"):
        literal([])


POLICY = QueryPolicy(
    matchers=(("cluster", "eu"),), router_matchers=(("namespace", "projectcontour"),)
)


@pytest.mark.parametrize("provider", ROUTERS)
@pytest.mark.parametrize("source", [Source.ROUTER, Source.TRITON])
def test_the_administrators_matchers_are_in_every_selector(
    provider: MetricsProvider, source: Source
) -> None:
    """Those for the router are not in the query for Triton, whose pods are in other namespaces."""
    asked = request(provider=provider)
    limited = plan_counters(source, asked, POLICY).texts
    plain = plan_counters(source, asked, QueryPolicy()).texts
    router = 'namespace="projectcontour",' if source is Source.ROUTER else ""
    assert limited == tuple(text.replace("{", f'{{cluster="eu",{router}') for text in plain)


def test_latency_queries_have_the_matchers_too() -> None:
    """Both the buckets and the list of their bounds."""
    asked = replace(request(), slow_after=250)
    limited = plan_counters(Source.ROUTER_LATENCY, asked, POLICY).texts
    assert len(limited) == 2
    assert all('{cluster="eu",namespace="projectcontour",' in text for text in limited)


CUSTOM = replace(
    request(),
    provider=MetricsProvider.NONE,
    indicators=(
        DueQuery(
            "metrics/a",
            "n{r='{{ revision }}'}[{{ window }}]",
            "e{{ revision }}[{{ window }}]",
            60.0,
        ),
    ),
)


def test_custom_queries_are_limited_to_the_namespace_and_the_cluster() -> None:
    """After rendering; the router's matchers do not apply."""
    planned = plan_queries(CUSTOM, POLICY).by_source["metrics/a"]
    assert isinstance(planned, CustomQueries)
    assert planned.stable.requests == (f'n{{namespace="ml",cluster="eu",r=\'{STABLE}\'}}[60s]')
    assert planned.canary is not None
    assert planned.canary.errors == f'e{CANARY}{{namespace="ml",cluster="eu"}}[60s]'


def test_a_query_that_is_not_allowed_is_not_sent() -> None:
    """The source is unavailable, with the reason and what to do."""
    policy = QueryPolicy(custom=CustomQueryScope.OFF)
    planned = plan_queries(CUSTOM, policy).by_source["metrics/a"]
    assert isinstance(planned, Unavailable)
    assert planned.why is UnavailableReason.REJECTED
    assert planned.message.startswith(
        "metrics/a counters: queries of ModelDeployments are disabled: remove it, or ask"
    )
