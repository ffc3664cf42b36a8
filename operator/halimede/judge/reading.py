"""Types of the requests to Prometheus and of its answers: raw counters, never rates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from halimede.api.analysis import Analysis, ClientErrors, MetricsProvider
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source, SourceId, metric_name, metric_source
from halimede.api.status import Evidence
from halimede.judge.counter_queries import CounterQueries

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
    """The number of requests that ended, and how many of them were errors."""

    requests: int = 0
    errors: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Add requests to requests and errors to errors."""
        return Counts(self.requests + other.requests, self.errors + other.errors)


@dataclass(frozen=True, slots=True)
class CounterSamples:
    """The complete answer of a source. It may have no series."""

    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The reason why a source could not be read. It is no evidence for or against the revision."""

    why: UnavailableReason
    message: str
    """What went wrong and what to do."""


@dataclass(frozen=True, slots=True)
class CustomCounts:
    """The answers of custom queries, in whole requests; None: there was no answer."""

    stable: Counts | None
    canary: Counts | None


Answer = CounterSamples | CustomCounts | Unavailable
"""The answer of one source."""


class BackendPosition(NamedTuple):
    """The position of a revision in the HTTPRoute; some routers name their series by it."""

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
    """Custom queries of a source whose window is over."""

    source: SourceId
    requests: str
    """A template, see `api.query`."""
    errors: str
    window: float
    """Length in seconds; it ends at the request's `now`, and no part of it has been counted."""


@dataclass(frozen=True, slots=True)
class MetricsRequest:
    """Which counters to read, and from which time on."""

    provider: MetricsProvider
    namespace: str
    name: str
    """Name of the ModelDeployment; the Services of revisions are `<name>-<hash8>`."""
    model: str
    """Name of the model in requests: the `model` label of Triton's counters."""
    stable: str
    canary: str
    now: float
    since: float | None
    """The evidence's oldest watermark (see `counted_since`); None: it has not begun, so the
    counters for the baseline are read."""
    stable_since: float = 0.0
    """When the stable revision became stable."""
    slow_after: int | None = None
    """Milliseconds after which an answer is slow; None: latency is not judged."""
    client_errors: bool = False
    """Whether client errors are counted too, see `watched`."""
    backends: tuple[BackendPosition, ...] = ()
    """Positions of both revisions in the route, if the router names its series by them."""
    indicators: tuple[DueQuery, ...] = ()
    """The custom queries that are due."""


class RevisionQueries(NamedTuple):
    """The custom queries of a source for one revision, as PromQL."""

    requests: str
    errors: str


@dataclass(frozen=True, slots=True)
class CustomQueries:
    """The custom queries of a source."""

    stable: RevisionQueries
    canary: RevisionQueries | None
    """None: counting has not begun."""
    at: float
    """UNIX time for which they are evaluated."""


@dataclass(frozen=True, slots=True)
class MetricsQueries:
    """Everything to ask Prometheus for in one poll."""

    request: MetricsRequest
    by_source: Mapping[SourceId, CounterQueries | CustomQueries | Unavailable]
    """Unavailable: the source's queries cannot be rendered."""


@dataclass(frozen=True, slots=True)
class History:
    """The stable revision's counters before the first judged request."""

    request: MetricsRequest
    """The request for them."""
    answers: Mapping[SourceId, Answer]


@dataclass(frozen=True, slots=True)
class Reading:
    """The answers of the sources to a request."""

    request: MetricsRequest
    answers: Mapping[SourceId, Answer] = field(default_factory=dict)
    """By queried source; empty if the request was for the history."""
    history: History | None = None
    """Set only if the request's `since` was None."""


def sources(analysis: Analysis) -> tuple[SourceId, ...]:
    """Return the sources that must all have data before a step passes."""
    own = tuple(metric_source(metric.name) for metric in analysis.metrics)
    return (*provider_sources(analysis.provider, latency=analysis.latency is not None), *own)


def provider_sources(provider: MetricsProvider, *, latency: bool) -> tuple[SourceId, ...]:
    """Return the sources that a provider stands for, with that of *latency* if it is judged."""
    if provider is MetricsProvider.NONE:
        return (Source.TRITON,)
    return (Source.ROUTER, Source.TRITON, *((Source.ROUTER_LATENCY,) if latency else ()))


def watched(analysis: Analysis) -> tuple[SourceId, ...]:
    """Return the sources by which revisions are only compared; they may be without data."""
    counted = analysis.provider not in {MetricsProvider.NONE, MetricsProvider.CUSTOM}
    ignored = analysis.on_client_errors is ClientErrors.IGNORE
    return (Source.ROUTER_CLIENT_ERRORS,) if counted and not ignored else ()


def counted_since(evidence: Evidence | None) -> float | None:
    """Return the time from which counters are needed; None: the evidence has not begun.

    The user's own metrics are left out: their queries have windows of their own.
    """
    if evidence is None or not evidence.sources:
        return None
    return min(
        source.watermark for source in evidence.sources if metric_name(source.source) is None
    )
