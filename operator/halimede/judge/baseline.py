"""Compute the baseline: stable's usual error rate, and the dispersion of its errors."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

from halimede.api.sources import SourceId
from halimede.judge.counts import times
from halimede.judge.dispersion import estimate_dispersion, neighbours
from halimede.judge.increases import find_targets, increments
from halimede.judge.providers.registry import find_provider
from halimede.judge.reading import CounterSamples, Counts, CustomCounts, MetricsRequest

HISTORY = 7200.0
"""Seconds before the rollout from which the baseline is computed."""
BIN = 60.0
"""Length, in seconds, of the bins in which incidents and clusters are searched."""
ENOUGH_REQUESTS = 300
"""Minimum number of requests for an error rate."""
ENOUGH_SECONDS = 300.0
"""Minimum time span, in seconds, for a request rate."""
OUTLIER = 4.0
"""A minute is an incident if its errors exceed the expected number by more than this many standard
deviations plus one error."""
ROUNDS = 20
"""Maximum number of times the usual rate is recomputed without the incidents found so far."""
TURNS = 2
"""Number of times the dispersion is recomputed without incidents."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The stable revision's counts before the rollout, by one source."""

    counts: Counts = field(default_factory=Counts)
    """Without incidents."""
    dispersion: float = 1.0
    seconds: float = 0.0
    """The time span of the samples."""
    differences: int = 0
    """Number of differences between minutes from which the dispersion was computed."""
    requests: int = 0
    """All requests, including those in incidents."""

    @property
    def per_second(self) -> float | None:
        """Requests per second; None if the time span is too short."""
        return self.requests / self.seconds if self.seconds >= ENOUGH_SECONDS else None

    @property
    def rate(self) -> float | None:
        """The usual error rate; None with too few requests."""
        if self.counts.requests < ENOUGH_REQUESTS:
            return None
        return self.counts.errors / self.counts.requests


def summarise_baseline(
    source: SourceId, answer: CounterSamples | CustomCounts, request: MetricsRequest
) -> Baseline:
    """Sum up the stable revision's history.

    Custom queries return two numbers and no time series, so they have no dispersion or incidents.
    """
    if isinstance(answer, CustomCounts):
        counts = answer.stable or Counts()
        return Baseline(counts, requests=counts.requests)
    counters = find_provider(source, request)
    read = counters.reader(request, answer.series)
    bins: defaultdict[int, Counts] = defaultdict(Counts)
    scraped = find_targets(answer.series, counters.labelling)
    moments = [at for process in scraped for at in (process.first, process.last)]
    for process in scraped:
        for increment in increments(process):
            meaning = read(increment.series.labels)
            if meaning is not None and meaning.revision == request.stable:
                bins[int(increment.at // BIN)] += times(meaning.one, increment.amount)
    minutes = [bins[at] for at in sorted(bins)]
    baseline = summarize_minutes(minutes)
    return replace(
        baseline,
        seconds=max(moments) - min(moments) if moments else 0.0,
        requests=sum(minute.requests for minute in minutes),
    )


def summarize_minutes(minutes: Sequence[Counts]) -> Baseline:
    """Compute the usual error rate and the dispersion from counts per minute.

    A minute is an incident if its errors exceed the number expected at the rate of the other
    minutes by more than `OUTLIER` standard deviations plus one error. The dispersion is more
    accurate without the incidents, and the standard deviation depends on the dispersion, so both
    are computed alternately.
    """
    phi, differences = estimate_dispersion(neighbours(minutes), incidents=True)
    kept = _without_incidents(minutes, phi)
    for _ in range(TURNS):
        phi, differences = estimate_dispersion(neighbours(kept), incidents=False)
        kept = _without_incidents(minutes, phi)
    counts = sum((minute for minute in kept if minute is not None), Counts())
    return Baseline(counts, phi, differences=differences)


def _without_incidents(minutes: Sequence[Counts], phi: float) -> list[Counts | None]:
    """Replace minutes with an incident by None.

    If more than half of the minutes would be excluded, all of them are kept.
    """
    kept: list[Counts | None] = list(minutes)
    for _ in range(ROUNDS):
        total = sum((minute for minute in kept if minute is not None), Counts())
        rate = total.errors / total.requests if total.requests else 0.0
        fewer = [
            None
            if minute is None or minute.errors > _busiest_minutes(minute, rate, phi)
            else minute
            for minute in kept
        ]
        if fewer == kept:
            return kept
        kept = fewer
        if 2 * sum(minute is not None for minute in kept) < len(minutes):
            return list(minutes)
    return kept


def _busiest_minutes(minute: Counts, rate: float, phi: float) -> float:
    """Compute the most errors that a minute without an incident may have."""
    expected = minute.requests * rate
    return expected + OUTLIER * sqrt(max(1.0, phi) * expected * (1 - rate)) + 1
