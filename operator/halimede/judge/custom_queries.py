"""Custom queries: what they are asked, and what their answers mean.

The answers are approximate, for `increase()` extrapolates: they are rounded to whole requests,
and windows follow each other without gap or overlap, so that no time counts twice.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from halimede.api.analysis import Analysis, MetricsProvider, QueryPair
from halimede.api.query import UnusableQueryError, render
from halimede.api.sources import Source, SourceId, metric_source
from halimede.api.status import Evidence
from halimede.judge.baseline import HISTORY
from halimede.judge.reading import Counts, DueQuery, MetricsRequest

LONGEST_WINDOW = 21600.0
"""Seconds of the longest window that is asked for, however long nobody looked."""


def render_query(text: str, request: MetricsRequest, revision: str, window: float) -> str:
    """Fill a template in for a revision.

    Raises:
        UnusableQueryError: The template cannot be filled in; the spec is invalid.
    """
    values = {
        "namespace": request.namespace,
        "name": request.name,
        "revision": revision,
        "service": f"{request.name}-{revision}",
        "model": request.model,
        "window": f"{max(round(window), 1)}s",
    }
    return render(text, values)


def custom_sources(analysis: Analysis) -> dict[SourceId, QueryPair]:
    """Map the sources that are custom queries to these."""
    found: dict[SourceId, QueryPair] = {metric_source(one.name): one for one in analysis.metrics}
    if analysis.provider is MetricsProvider.CUSTOM and analysis.router is not None:
        found[Source.ROUTER] = analysis.router
    return found


def due_queries(analysis: Analysis, evidence: Evidence | None, now: float) -> tuple[DueQuery, ...]:
    """List the custom queries whose window is over, or all of them for the past."""
    begun = {one.source: one.watermark for one in evidence.sources} if evidence else {}
    indicators = []
    for source, queries in custom_sources(analysis).items():
        window = HISTORY if not begun else now - begun.get(source, now)
        if window >= queries.window_seconds:
            indicators.append(
                DueQuery(source, queries.requests, queries.errors, min(window, LONGEST_WINDOW))
            )
    return tuple(indicators)


def parse_scalar(result: Any) -> float | None:
    """Read the one number of an answer; None: there is none, or it is no number.

    Raises:
        UnusableQueryError: There are several, or a range.
    """
    match result:
        case []:
            return None
        case [{"value": [_, text]}] | [int() | float(), str() as text]:
            return _finite(text)
        case [Mapping(), *_] if len(result) > 1:
            raise UnusableQueryError(
                f"the answer has {len(result)} series", "add them up, as by sum(...)"
            )
        case _:
            raise UnusableQueryError(
                "the answer is no number", "ask for one, as by sum(increase(...[{{ window }}]))"
            )


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError as error:
        raise UnusableQueryError(f"the answer is the text {text!r}", "ask for a number") from error
    return value if isfinite(value) else None


def to_counts(requests: float | None, errors: float | None) -> Counts | None:
    """Round both numbers. Without requests there is no answer; without errors there were none."""
    if requests is None:
        return None
    total = max(round(requests), 0)
    return Counts(total, min(max(round(errors or 0.0), 0), total))
