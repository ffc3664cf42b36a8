"""What the stable revision's past tells: its error rate, and whether its errors cluster."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from halimede.judge.counts import times
from halimede.judge.deltas import increments, processes
from halimede.judge.providers.known import provider
from halimede.judge.reading import Counts, Measured, MetricsRequest, Tallied

HISTORY = 7200.0
"""Seconds of the stable revision's past that are read."""
BIN = 60.0
"""Seconds over which errors are summed up to see whether they cluster."""
ENOUGH_REQUESTS = 300
"""Fewer do not tell a rate."""
ENOUGH_SECONDS = 300.0
"""Less does not tell how many requests come."""
ENOUGH_ERRORS = 10
"""Fewer do not tell a dispersion."""
WORST_DISPERSION = 10.0
"""More than this is an outage in the past, not the way errors come; unbounded, it would make every
rollout after an outage wait for hours."""


@dataclass(frozen=True, slots=True)
class Past:
    """The stable revision before the rollout, as one source saw it."""

    counts: Counts = field(default_factory=Counts)
    dispersion: float = 1.0
    seconds: float = 0.0
    """How much time the samples span."""

    @property
    def per_second(self) -> float | None:
        """Requests per second; None if too short a time tells it."""
        return self.counts.requests / self.seconds if self.seconds >= ENOUGH_SECONDS else None

    @property
    def rate(self) -> float | None:
        """The error rate; None if too few requests tell it."""
        if self.counts.requests < ENOUGH_REQUESTS:
            return None
        return self.counts.errors / self.counts.requests


def past(source: str, answer: Measured | Tallied, request: MetricsRequest) -> Past:
    """Sum up the stable revision's history.

    Custom queries tell two numbers and no course of time, hence no dispersion.
    """
    if isinstance(answer, Tallied):
        return Past(answer.stable or Counts())
    counters = provider(source, request)
    read = counters.reader(request, answer.series)
    bins: defaultdict[int, Counts] = defaultdict(Counts)
    scraped = processes(answer.series, counters.labelling)
    moments = [at for process in scraped for at in (process.first, process.last)]
    for process in scraped:
        for increment in increments(process):
            meaning = read(increment.series.labels)
            if meaning is not None and meaning.revision == request.stable:
                bins[int(increment.at // BIN)] += times(meaning.one, increment.amount)
    return Past(
        counts=sum(bins.values(), Counts()),
        dispersion=dispersion(bins.values()),
        seconds=max(moments) - min(moments) if moments else 0.0,
    )


def dispersion(bins: Iterable[Counts]) -> float:
    """Compute phi: Pearson's chi-square over its degrees of freedom, from 1 to 10.

    Independent errors give 1; errors that come in clusters of m give about 2 m - 1. Evidence is
    divided by it, as the same number of clustered errors tells less.
    """
    used = [counts for counts in bins if counts.requests > 0]
    total = sum(used, Counts())
    if total.errors < ENOUGH_ERRORS or total.errors >= total.requests or len(used) <= 1:
        return 1.0
    rate = total.errors / total.requests
    square = sum(
        (counts.errors - counts.requests * rate) ** 2 / (counts.requests * rate * (1 - rate))
        for counts in used
    )
    return round(min(max(1.0, square / (len(used) - 1)), WORST_DISPERSION), 6)
