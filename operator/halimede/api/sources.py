"""The sources of counters that a rollout is judged by, and how their names are written."""

from enum import StrEnum
from typing import Annotated, NewType

from pydantic import BeforeValidator, WithJsonSchema

_METRICS = "metrics/"


class Source(StrEnum):
    """Whose counters they are."""

    ROUTER = "Router"
    """The gateway's proxies, per backend Service: what users were answered."""
    TRITON = "Triton"
    """The inference servers themselves, per pod."""
    ROUTER_LATENCY = "RouterLatency"
    """How long the router's users waited; a slow answer counts where others count an error."""
    ROUTER_CLIENT_ERRORS = "RouterClientErrors"
    """The router's counters once more; a client error counts where others count an error."""


MetricSource = NewType("MetricSource", str)
"""`metrics/<name>`: an objective of `spec.rollout.analysis.metrics`."""
SourceId = Source | MetricSource
"""Names one source in `status` and in messages."""


def metric_source(name: str) -> MetricSource:
    """Name the source that is the objective *name*.

    >>> metric_source("accuracy")
    'metrics/accuracy'
    """
    return MetricSource(_METRICS + name)


def metric_name(source: SourceId) -> str | None:
    """Return the name of the objective that *source* is; None: it is none.

    >>> metric_name(metric_source("accuracy"))
    'accuracy'
    >>> metric_name(Source.ROUTER)
    """
    return source.removeprefix(_METRICS) if source.startswith(_METRICS) else None


def parse_source(text: object) -> SourceId:
    """Read a source as `status` has it.

    >>> parse_source("Router")
    <Source.ROUTER: 'Router'>

    Raises:
        ValueError: There is no source of that name.
    """
    if not isinstance(text, str):
        raise ValueError(f"a source is a text, not {text!r}")  # noqa: TRY004  (for pydantic)
    return MetricSource(text) if text.startswith(_METRICS) else Source(text)


SourceField = Annotated[
    SourceId, BeforeValidator(parse_source), WithJsonSchema({"type": "string"})
]
"""A source as a field of the API."""
