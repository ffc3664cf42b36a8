"""The sources of counters that a rollout is judged by, and the format of their names."""

from enum import StrEnum
from typing import Annotated, NewType

from pydantic import BeforeValidator, WithJsonSchema

_METRICS = "metrics/"


class Source(StrEnum):
    """The sources that need no queries in the spec."""

    ROUTER = "Router"
    """The router's proxies, per backend Service: the responses that users got."""
    TRITON = "Triton"
    """The inference servers themselves, per pod."""
    ROUTER_LATENCY = "RouterLatency"
    """The router's histogram of durations; a slow response counts as an error."""
    ROUTER_CLIENT_ERRORS = "RouterClientErrors"
    """The router's counters again; a client error counts as an error."""


MetricSource = NewType("MetricSource", str)
"""`metrics/<name>`: an objective of `spec.rollout.analysis.metrics`."""
SourceId = Source | MetricSource
"""The name of a source in `status` and in messages."""


def metric_source(name: str) -> MetricSource:
    """Return the source of the objective *name*.

    >>> metric_source("accuracy")
    'metrics/accuracy'
    """
    return MetricSource(_METRICS + name)


def metric_name(source: SourceId) -> str | None:
    """Return the objective's name if *source* is an objective, else None.

    >>> metric_name(metric_source("accuracy"))
    'accuracy'
    >>> metric_name(Source.ROUTER)
    """
    return source.removeprefix(_METRICS) if source.startswith(_METRICS) else None


def parse_source(text: object) -> SourceId:
    """Parse a source in the format of `status`.

    >>> parse_source("Router")
    <Source.ROUTER: 'Router'>

    Raises:
        ValueError: There is no source of that name.
    """
    if not isinstance(text, str):
        raise ValueError(f"a source must be a string, not {text!r}")  # noqa: TRY004  (for pydantic)
    return MetricSource(text) if text.startswith(_METRICS) else Source(text)


SourceField = Annotated[
    SourceId, BeforeValidator(parse_source), WithJsonSchema({"type": "string"})
]
"""A source as a field of the API."""
