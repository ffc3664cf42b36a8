"""The questions put to Prometheus, in PromQL.

Instant queries with a range selector, so that Prometheus answers with raw samples, and all
counters of one scrape either are in the answer or are not.
"""

from halimede.api.sources import SourceId
from halimede.judge.baseline import HISTORY
from halimede.judge.counts import LOOKBACK
from halimede.judge.promql import render
from halimede.judge.providers.provider import Provider
from halimede.judge.providers.registry import find_provider
from halimede.judge.reading import MetricsRequest

LONGEST_WINDOW = 21600.0
"""Seconds of counters that are read at most, however long nobody looked."""
SHORTEST_PAST = 1.0
"""Seconds of a past that has hardly begun: enough for an answer that says so."""
ROUTE_SECONDS = 60.0
"""How long after a promotion proxies may still count for the revision that was before."""


def build_queries(source: SourceId, request: MetricsRequest) -> tuple[str, ...]:
    """Ask for both revisions' counters since the watermark, or for stable's past.

    The series of all the answers together are the source's answer.
    """
    counters = find_provider(source, request)
    revisions = (request.stable,) if request.since is None else (request.stable, request.canary)
    window = _window(counters, request)
    return tuple(render(one, window) for one in counters.queries(request, revisions))


def _window(counters: Provider, request: MetricsRequest) -> float:
    if request.since is None:
        return _past(counters, request)
    return min(max(request.now - request.since, 0.0), LONGEST_WINDOW) + LOOKBACK


def _past(counters: Provider, request: MetricsRequest) -> float:
    if counters.by_revision:
        return HISTORY
    alone = request.now - request.stable_since - ROUTE_SECONDS
    return min(max(alone, SHORTEST_PAST), HISTORY)
