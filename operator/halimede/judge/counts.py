"""What a source's series show of both revisions since a watermark."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source, SourceId
from halimede.judge.increases import Target, duplicate_target, find_targets, increments, watermark
from halimede.judge.providers.registry import find_provider
from halimede.judge.reading import (
    CounterSamples,
    Counts,
    CustomCounts,
    DueQuery,
    MetricsRequest,
    Unavailable,
)

LOOKBACK = 600.0
"""Seconds before the watermark in which each counter's last counted sample is looked for."""


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """What a source shows of the time since a watermark."""

    canary: Counts
    stable: Counts
    watermark: float
    """All of it happened up to here; the next poll counts from here on."""
    canary_seen_at: float | None
    """The newest sample of the canary; None: there is none."""
    interval: float
    """The longest time between two scrapes of one process, in seconds."""
    stable_seen_at: float | None = None
    """The newest sample of the stable revision; None: there is none."""
    canary_client_errors: int = 0
    """Requests that were answered with an error of the client, if the source is a router."""
    stable_client_errors: int = 0

    @property
    def client_errors(self) -> "WindowCounts":
        """The same with client errors in the place of errors."""
        return replace(
            self,
            canary=_consistent(Counts(self.canary.requests, self.canary_client_errors)),
            stable=_consistent(Counts(self.stable.requests, self.stable_client_errors)),
        )


def count_window(
    source: SourceId,
    measured: CounterSamples,
    request: MetricsRequest,
    *,
    begun_at: float,
    after: float,
    pods_started: Mapping[str, float],
) -> WindowCounts | Unavailable:
    """Count both revisions' requests and errors after the watermark *after*.

    *pods_started* as in `judge`; a pod counts from zero if it started after *begun_at* and all its
    life lies in what was asked for.
    """
    counters = find_provider(source, request)
    scraped = find_targets(measured.series, counters.labelling)
    twice = duplicate_target(scraped, counters.identity)
    if twice is not None:
        return _scraped_twice(source, *twice)
    if (wrong := unusable_reason(source, measured, request)) is not None:
        return wrong
    read = counters.reader(request, measured.series)
    upto = _upto(source, scraped, request, pods_started, after)
    oldest = max(begun_at, after - LOOKBACK)
    totals = {request.canary: Counts(), request.stable: Counts()}
    blamed = {request.canary: 0, request.stable: 0}
    seen_at: dict[str, float] = {}
    for process in scraped:
        young = pods_started.get(process.labels.get("pod", ""), 0.0) >= oldest
        meanings = {id(one): read(one.labels) for one in process.series}
        for increment in increments(process, young=young, after=after):
            meaning = meanings[id(increment.series)]
            if meaning is not None and increment.at <= upto:
                totals[meaning.revision] += times(meaning.one, increment.amount)
                blamed[meaning.revision] += meaning.client_errors * increment.amount
        for revision in {one.revision for one in meanings.values() if one is not None}:
            seen_at[revision] = max(seen_at.get(revision, 0.0), process.last)
    return WindowCounts(
        canary=_consistent(totals[request.canary]),
        stable=_consistent(totals[request.stable]),
        watermark=upto,
        canary_seen_at=seen_at.get(request.canary),
        interval=max((process.interval for process in scraped), default=0.0),
        stable_seen_at=seen_at.get(request.stable),
        canary_client_errors=blamed[request.canary],
        stable_client_errors=blamed[request.stable],
    )


def unusable_reason(
    source: SourceId, measured: CounterSamples, request: MetricsRequest
) -> Unavailable | None:
    """Find out whether an answer cannot tell what was asked for."""
    wrong = find_provider(source, request).unusable_reason(request, measured.series)
    return None if wrong is None else Unavailable(UnavailableReason.NO_SUCH_BOUND, wrong)


def from_custom(
    tallied: CustomCounts, request: MetricsRequest, asked: DueQuery, after: float
) -> WindowCounts:
    """Take over what custom queries say of their window.

    Without an answer about the canary nothing is counted, and the next window takes this one in.
    """
    if tallied.canary is None:
        return WindowCounts(Counts(), Counts(), after, None, asked.window)
    return WindowCounts(
        canary=tallied.canary,
        stable=tallied.stable or Counts(),
        watermark=round(request.now, 3),
        canary_seen_at=request.now,
        interval=asked.window,
        stable_seen_at=None if tallied.stable is None else request.now,
    )


def times(one: Counts, amount: int) -> Counts:
    """Multiply what one more of a counter means by how many more there are."""
    return Counts(one.requests * amount, one.errors * amount)


def _upto(
    source: SourceId,
    scraped: tuple[Target, ...],
    request: MetricsRequest,
    pods_started: Mapping[str, float],
    after: float,
) -> float:
    unseen: list[float] = []
    if source == Source.TRITON:
        seen = {process.labels.get("pod") for process in scraped}
        ours = tuple(f"{request.name}-{hash8}-" for hash8 in (request.stable, request.canary))
        unseen = [
            started
            for pod, started in pods_started.items()
            if pod.startswith(ours) and pod not in seen
        ]
    found = watermark(scraped, unseen)
    if found is None:  # and whatever comes later is newer than all that was asked for
        return max(after, request.now - LOOKBACK)
    return max(after, found)


def _consistent(counts: Counts) -> Counts:
    """Mend what a scrape saw between two counters' steps: an error is a request too."""
    errors = max(counts.errors, 0)
    return Counts(max(counts.requests, errors), errors)


def _scraped_twice(source: SourceId, label: str, value: str) -> Unavailable:
    return Unavailable(
        UnavailableReason.DOUBLED,
        f'{source} counters of {label}="{value}" are in Prometheus more than once, so every'
        " request would count twice: scrape it by one job only, or query an address that removes"
        " the copies of replicated Prometheus servers",
    )
