"""Count the requests and errors of both revisions since a watermark from a source's series."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source, SourceId
from halimede.judge.increases import (
    Target,
    duplicate_target,
    find_targets,
    first_scrape,
    increments,
    is_rare,
    usual_interval,
    watermark,
)
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
"""Seconds before the watermark that must contain each counter's last counted sample."""


class RareScrapes(NamedTuple):
    """The process that is scraped most rarely, if far more rarely than others."""

    process: str
    """A label that identifies it, as a matcher."""
    interval: float
    """Seconds between its scrapes."""
    usual: float
    """The same of others."""


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """The requests and errors since a watermark, by one source."""

    canary: Counts
    stable: Counts
    watermark: float
    """The end of the window; the next poll counts from here."""
    canary_seen_at: float | None
    """Time of the newest sample of the canary; None: there is none."""
    interval: float
    """The longest time between two scrapes of one process, in seconds."""
    stable_seen_at: float | None = None
    """Time of the newest sample of the stable revision; None: there is none."""
    canary_client_errors: int = 0
    """Requests that were answered with a client error, if the source is a router."""
    stable_client_errors: int = 0
    rare: RareScrapes | None = None
    """Set if a process is scraped rarely."""

    @property
    def client_errors(self) -> "WindowCounts":
        """The same window with client errors instead of errors."""
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

    For *pods_started* see `judge_poll`. The counters of a pod count from zero if it started after
    *begun_at* and within the queried window.
    """
    counters = find_provider(source, request)
    scraped = find_targets(measured.series, counters.labelling)
    duplicate = duplicate_target(scraped, counters.identity)
    if duplicate is not None:
        return _duplicate_scrape(source, *duplicate)
    if (reason := unusable_reason(source, measured, request)) is not None:
        return reason
    read = counters.reader(request, measured.series)
    usual = usual_interval(scraped)
    # The requests of a pod are those of one revision: without them, the revisions would be
    # compared at different times. Every router process has requests of both.
    ahead = None if source == Source.TRITON else usual
    until = _count_until(source, scraped, request, pods_started, after, ahead)
    oldest = max(begun_at, after - LOOKBACK)
    totals = {request.canary: Counts(), request.stable: Counts()}
    client_errors = {request.canary: 0, request.stable: 0}
    seen_at: dict[str, float] = {}
    for process in scraped:
        young = pods_started.get(process.labels.get("pod", ""), 0.0) >= oldest
        meanings = {id(counter): read(counter.labels) for counter in process.series}
        # The first increase of a rare scrape would reach far back before the beginning.
        since = first_scrape(process, begun_at) if is_rare(process, ahead) else after
        for increment in increments(process, young=young, after=max(after, since)):
            meaning = meanings[id(increment.series)]
            if meaning is not None and increment.at <= until:
                totals[meaning.revision] += times(meaning.one, increment.amount)
                client_errors[meaning.revision] += meaning.client_errors * increment.amount
        for revision in {meaning.revision for meaning in meanings.values() if meaning is not None}:
            seen_at[revision] = max(seen_at.get(revision, 0.0), process.last)
    return WindowCounts(
        canary=_consistent(totals[request.canary]),
        stable=_consistent(totals[request.stable]),
        watermark=until,
        canary_seen_at=seen_at.get(request.canary),
        interval=max((process.interval for process in scraped), default=0.0),
        stable_seen_at=seen_at.get(request.stable),
        canary_client_errors=client_errors[request.canary],
        stable_client_errors=client_errors[request.stable],
        rare=_find_rare(scraped, usual, counters.identity),
    )


def unusable_reason(
    source: SourceId, measured: CounterSamples, request: MetricsRequest
) -> Unavailable | None:
    """Return the reason why an answer cannot be used; None: it can."""
    reason = find_provider(source, request).unusable_reason(request, measured.series)
    return None if reason is None else Unavailable(UnavailableReason.NO_SUCH_BOUND, reason)


def from_custom(
    tallied: CustomCounts, request: MetricsRequest, asked: DueQuery, after: float
) -> WindowCounts:
    """Convert the counts of custom queries.

    Without counts of the canary nothing is counted, and the next window includes this one.
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
    """Multiply the counts per increment of a counter by the number of increments."""
    return Counts(one.requests * amount, one.errors * amount)


def _count_until(
    source: SourceId,
    scraped: tuple[Target, ...],
    request: MetricsRequest,
    pods_started: Mapping[str, float],
    after: float,
    usual: float | None,
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
    complete_until = watermark(scraped, unseen, usual=usual)
    if complete_until is None:  # later samples are newer than the queried window
        return max(after, request.now - LOOKBACK)
    return max(after, complete_until)


def _find_rare(
    scraped: Iterable[Target], usual: float | None, identity: tuple[str, ...]
) -> RareScrapes | None:
    known = [process for process in scraped if process.scraped_twice]
    rarest = max(known, key=lambda process: process.interval, default=None)
    if usual is None or rarest is None or not is_rare(rarest, usual):
        return None
    label = next((label for label in identity if label in rarest.labels), None)
    process = f'{label}="{rarest.labels[label]}"' if label else "a process"
    return RareScrapes(process, rarest.interval, usual)


def _consistent(counts: Counts) -> Counts:
    """Make requests at least errors: a scrape may see one counter increased but not the other."""
    errors = max(counts.errors, 0)
    return Counts(max(counts.requests, errors), errors)


def _duplicate_scrape(source: SourceId, label: str, value: str) -> Unavailable:
    return Unavailable(
        UnavailableReason.DOUBLED,
        f'{source} counters with {label}="{value}" exist more than once in Prometheus, so'
        " every request would be counted twice: scrape them with only one job, or query an"
        " address that deduplicates the series of replicated Prometheus servers",
    )
