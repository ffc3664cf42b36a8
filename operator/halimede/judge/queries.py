"""Plan which sources a poll asks Prometheus for, and by which queries."""

from halimede.api.query import UnusableQueryError
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source, SourceId
from halimede.judge.baseline import HISTORY
from halimede.judge.counter_queries import CounterQueries
from halimede.judge.counts import LOOKBACK
from halimede.judge.custom_queries import render_query
from halimede.judge.providers.provider import Provider
from halimede.judge.providers.registry import ROUTERS, find_provider
from halimede.judge.query_limits import limit_custom
from halimede.judge.query_policy import NAMESPACED_ONLY, QueryPolicy
from halimede.judge.reading import (
    CustomQueries,
    DueQuery,
    MetricsQueries,
    MetricsRequest,
    RevisionQueries,
    Unavailable,
    provider_sources,
)

LONGEST_WINDOW = 21600.0
"""Maximum window, in seconds, however long ago the last poll was."""
SHORTEST_PAST = 1.0
"""Minimum window, in seconds, of the query for the baseline, if stable has just become stable."""
ROUTE_SECONDS = 60.0
"""Seconds after a promotion in which proxies may still count requests of the previous revision."""


def plan_queries(request: MetricsRequest, policy: QueryPolicy = NAMESPACED_ONLY) -> MetricsQueries:
    """Plan the queries for every source of the request that is due, within the policy."""
    by_source: dict[SourceId, CounterQueries | CustomQueries | Unavailable] = {
        source: plan_counters(source, request, policy)
        for source in provider_sources(request.provider, latency=request.slow_after is not None)
        if source == Source.TRITON or request.provider in ROUTERS
    }
    by_source |= {
        query.source: _custom_queries(query, request, policy) for query in request.indicators
    }
    return MetricsQueries(request, by_source)


def _custom_queries(
    query: DueQuery, request: MetricsRequest, policy: QueryPolicy
) -> CustomQueries | Unavailable:
    try:
        stable = _revision_queries(query, request, request.stable, policy)
        begun = request.since is not None
        canary = _revision_queries(query, request, request.canary, policy) if begun else None
    except UnusableQueryError as error:
        message = f"{query.source} counters: {error}: {error.cure}"
        return Unavailable(UnavailableReason.REJECTED, message)
    return CustomQueries(stable, canary, request.now)


def _revision_queries(
    query: DueQuery, request: MetricsRequest, revision: str, policy: QueryPolicy
) -> RevisionQueries:
    rendered = (
        render_query(text, request, revision, query.window)
        for text in (query.requests, query.errors)
    )
    return RevisionQueries(*(limit_custom(text, request.namespace, policy) for text in rendered))


def plan_counters(
    source: SourceId, request: MetricsRequest, policy: QueryPolicy = NAMESPACED_ONLY
) -> CounterQueries:
    """Plan the queries for both revisions' counters since the watermark, or for the baseline."""
    counters = find_provider(source, request)
    revisions = (request.stable,) if request.since is None else (request.stable, request.canary)
    return CounterQueries(
        source=source,
        queries=counters.queries(request, revisions),
        window=_window(counters, request),
        now=request.now,
        policy=policy,
    )


def _window(counters: Provider, request: MetricsRequest) -> float:
    if request.since is None:
        return _baseline_window(counters, request)
    return min(max(request.now - request.since, 0.0), LONGEST_WINDOW) + LOOKBACK


def _baseline_window(counters: Provider, request: MetricsRequest) -> float:
    if counters.by_revision:
        return HISTORY
    stable_seconds = request.now - request.stable_since - ROUTE_SECONDS
    return min(max(stable_seconds, SHORTEST_PAST), HISTORY)
