"""What Prometheus is asked and what it answered: raw counters, never rates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from halimede.api.analysis import Analysis, ClientErrors, MetricsProvider
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source, SourceId, metric_name, metric_source
from halimede.api.status import Evidence

ERRORS = frozenset({Source.ROUTER, Source.TRITON})
"""The sources that count errors of all requests; one can replace another that lacks data."""


class Sample(NamedTuple):
    """One scraped value of a counter."""

    at: float
    """UNIX seconds by Prometheus's clock: when the scrape began."""
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One counter of one scraped process."""

    labels: Mapping[str, str]
    """All labels, `__name__` included."""
    samples: tuple[Sample, ...]
    """Oldest first."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many requests ended, and how many of them in an error."""

    requests: int = 0
    errors: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Add requests to requests and errors to errors."""
        return Counts(self.requests + other.requests, self.errors + other.errors)


@dataclass(frozen=True, slots=True)
class CounterSamples:
    """A source answered in full. No series is an answer too."""

    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A source could not be read. It is neither good nor bad news of the revision."""

    why: UnavailableReason
    message: str
    """What went wrong and what to do."""


@dataclass(frozen=True, slots=True)
class CustomCounts:
    """What custom queries made of both revisions, in whole requests; None: there was no answer."""

    stable: Counts | None
    canary: Counts | None


Answer = CounterSamples | CustomCounts | Unavailable
"""What one source said."""


class BackendPosition(NamedTuple):
    """A revision's place in the HTTPRoute, by which some routers name their series."""

    route: str
    """`<namespace>/<name>`."""
    rule: int
    """Index of the rule."""
    place: int
    """Index among the rule's backends."""
    revision: str
    port: int
    """Of the revision's Service."""


class DueQuery(NamedTuple):
    """Custom queries whose answer is due."""

    source: SourceId
    requests: str
    """A template, see `api.query`."""
    errors: str
    window: float
    """Of so many seconds up to the request's `now`, none of which has been counted yet."""


@dataclass(frozen=True, slots=True)
class MetricsRequest:
    """Whose counters to read, and since when."""

    provider: MetricsProvider
    namespace: str
    name: str
    """The ModelDeployment's; revisions' Services are `<name>-<hash8>`."""
    model: str
    """The model that requests name: the `model` label of Triton's counters."""
    stable: str
    canary: str
    now: float
    since: float | None
    """The evidence's oldest watermark (see `since`); None: it has not begun, so the stable
    revision's past is read instead."""
    stable_since: float = 0.0
    """When the stable revision became that."""
    slow_after: int | None = None
    """Milliseconds after which an answer is slow; None: nobody wants to know."""
    client_errors: bool = False
    """Whether client errors are counted too, see `watched`."""
    backends: tuple[BackendPosition, ...] = ()
    """Where the route has both revisions, if the router names its series by that."""
    indicators: tuple[DueQuery, ...] = ()
    """The custom queries that are due."""


@dataclass(frozen=True, slots=True)
class History:
    """The stable revision's counters before the first judged request."""

    request: MetricsRequest
    """What was asked for."""
    answers: Mapping[SourceId, Answer]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the sources answered to a request."""

    request: MetricsRequest
    answers: Mapping[SourceId, Answer] = field(default_factory=dict)
    """Per declared source that was asked; empty where the request was for the history."""
    history: History | None = None
    """Only where the request's `since` was None."""


def sources(analysis: Analysis) -> tuple[SourceId, ...]:
    """Name the sources that must all have data before anything passes."""
    own = tuple(metric_source(one.name) for one in analysis.metrics)
    if analysis.provider is MetricsProvider.NONE:
        return (Source.TRITON, *own)
    latency = () if analysis.latency is None else (Source.ROUTER_LATENCY,)
    return (Source.ROUTER, Source.TRITON, *latency, *own)


def watched(analysis: Analysis) -> tuple[SourceId, ...]:
    """Name the sources by which the revisions are only compared: none of them has to have data."""
    known = analysis.provider not in {MetricsProvider.NONE, MetricsProvider.CUSTOM}
    ignored = analysis.on_client_errors is ClientErrors.IGNORE
    return (Source.ROUTER_CLIENT_ERRORS,) if known and not ignored else ()


def counted_since(evidence: Evidence | None) -> float | None:
    """Say from when on counters are needed; None: the evidence has not begun.

    Objectives of the user's own are asked about windows of their own.
    """
    if evidence is None or not evidence.sources:
        return None
    return min(
        source.watermark for source in evidence.sources if metric_name(source.source) is None
    )
