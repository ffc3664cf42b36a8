"""Render custom queries, and read their answers.

The answers are approximate because `increase()` extrapolates: they are rounded to whole requests.
Windows follow each other without gap or overlap, so that no time counts twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from halimede.api.analysis import Analysis, MetricsProvider, QueryPair
from halimede.api.query import UnusableQueryError, render
from halimede.api.sources import Source, SourceId, metric_source
from halimede.api.status import Evidence
from halimede.judge.baseline import HISTORY
from halimede.judge.reading import Counts, DueQuery, MetricsRequest

LONGEST_WINDOW = 21600.0
"""Maximum length of a window, in seconds, however long ago the last poll was."""


@dataclass(frozen=True, slots=True)
class QuerySubject:
    """The ModelDeployment that a query is about."""

    namespace: str
    name: str
    model: str


def render_query(
    text: str, request: MetricsRequest | QuerySubject, revision: str, window: float
) -> str:
    """Render a query template for a revision.

    Raises:
        UnusableQueryError: The template cannot be rendered; the spec is invalid.
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
    """Map each source that is a custom query to its queries."""
    queries: dict[SourceId, QueryPair] = {
        metric_source(metric.name): metric for metric in analysis.metrics
    }
    if analysis.provider is MetricsProvider.CUSTOM and analysis.router is not None:
        queries[Source.ROUTER] = analysis.router
    return queries


def due_queries(analysis: Analysis, evidence: Evidence | None, now: float) -> tuple[DueQuery, ...]:
    """List the custom queries whose window is over; without evidence all, for the baseline."""
    watermarks = (
        {source_evidence.source: source_evidence.watermark for source_evidence in evidence.sources}
        if evidence
        else {}
    )
    indicators = []
    for source, queries in custom_sources(analysis).items():
        window = HISTORY if not watermarks else now - watermarks.get(source, now)
        if window >= queries.window_seconds:
            indicators.append(
                DueQuery(source, queries.requests, queries.errors, min(window, LONGEST_WINDOW))
            )
    return tuple(indicators)


def parse_scalar(result: Any) -> float | None:
    """Read the number in an answer; None: the answer is empty or the number is not finite.

    Raises:
        UnusableQueryError: The answer has several series, or is not one number.
    """
    match result:
        case []:
            return None
        case [{"value": [_, text]}] | [int() | float(), str() as text]:
            return _finite(text)
        case [Mapping(), *_] if len(result) > 1:
            raise UnusableQueryError(
                f"the result has {len(result)} series", "aggregate them, for example with sum(...)"
            )
        case _:
            raise UnusableQueryError(
                "the result is not a number",
                "return one, for example with sum(increase(...[{{ window }}]))",
            )


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError as error:
        raise UnusableQueryError(f"the result is the text {text!r}", "return a number") from error
    return value if isfinite(value) else None


def to_counts(requests: float | None, errors: float | None) -> Counts | None:
    """Round both numbers. None as *requests* means no answer, None as *errors* means no errors."""
    if requests is None:
        return None
    total = max(round(requests), 0)
    return Counts(total, min(max(round(errors or 0.0), 0), total))
