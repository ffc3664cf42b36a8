"""Build the queries to Prometheus.

They are instant queries with a range selector, so that Prometheus answers with raw samples, and
the answer has either all counters of a scrape or none.
"""

from halimede.api.sources import SourceId
from halimede.judge.baseline import HISTORY
from halimede.judge.counts import LOOKBACK
from halimede.judge.promql import render
from halimede.judge.providers.provider import Provider
from halimede.judge.providers.registry import find_provider
from halimede.judge.reading import MetricsRequest

LONGEST_WINDOW = 21600.0
"""Maximum window, in seconds, however long ago the last poll was."""
SHORTEST_PAST = 1.0
"""Minimum window, in seconds, of the query for the baseline, if stable has just become stable."""
ROUTE_SECONDS = 60.0
"""Seconds after a promotion in which proxies may still count requests of the previous revision."""


def build_queries(source: SourceId, request: MetricsRequest) -> tuple[str, ...]:
    """Build the queries for both revisions' counters since the watermark, or for the baseline.

    The source's answer is the series of all their answers together.
    """
    counters = find_provider(source, request)
    revisions = (request.stable,) if request.since is None else (request.stable, request.canary)
    window = _window(counters, request)
    return tuple(render(query, window) for query in counters.queries(request, revisions))


def _window(counters: Provider, request: MetricsRequest) -> float:
    if request.since is None:
        return _baseline_window(counters, request)
    return min(max(request.now - request.since, 0.0), LONGEST_WINDOW) + LOOKBACK


def _baseline_window(counters: Provider, request: MetricsRequest) -> float:
    if counters.by_revision:
        return HISTORY
    stable_seconds = request.now - request.stable_since - ROUTE_SECONDS
    return min(max(stable_seconds, SHORTEST_PAST), HISTORY)
