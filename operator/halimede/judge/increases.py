"""Exact increments of counters from raw samples.

`increase()` extrapolates and loses a series' first sample
(https://github.com/prometheus/prometheus/issues/3746), so it is not used. Here every sample stands
for the events since the sample before it, and is counted in the poll whose window contains its
time. Nothing is counted twice, and nothing is missed as long as a scrape takes no longer than the
scrape interval, which Prometheus enforces.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from operator import attrgetter, sub
from statistics import median

from halimede.judge.reading import Sample, Series

RECENT = 20
"""Number of scrapes from which the scrape interval of a process is computed."""
UNKNOWN_INTERVAL = 60.0
"""Seconds between scrapes of a process that has been scraped only once: Prometheus's default."""
FREQUENT = 30.0
"""Seconds between scrapes that are never rare."""
RARELY = 3.0
"""A process is scraped rarely if its interval is more than this many times the shortest one."""
SLOW_SCRAPE = 15.0
"""Seconds that a scrape of such a process may take; Prometheus's default time-out is 10 s."""

ALWAYS_OWN = ("exported_", "_")
"""Prefixes of labels that always come from the process: `exported_`, which Prometheus adds if the
scraper sets a label of the same name, and `_` of `__name__` and Triton's `metric_tags`."""

_AT = attrgetter("at")

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """Which labels of a product's series come from the product. All others are the scraper's."""

    own: frozenset[str]
    """Labels that the process itself sets."""
    prefixes: tuple[str, ...] = ()
    """Prefixes of further labels that the process sets."""
    outcomes: frozenset[str] = frozenset()
    """Own labels that differ only by outcome: counters that differ only in these are reset
    together. Empty: each counter is reset independently."""
    derived: Callable[["Target"], tuple[Series, ...]] = lambda _: ()
    """Computes further counters from those of one process, which the process does not have
    itself."""

    def target_labels(self, labels: Mapping[str, str]) -> Labels:
        """Return the labels that identify a scraped process."""
        return frozenset(item for item in labels.items() if not self._is_own(item[0]))

    def reset_group(self, labels: Mapping[str, str]) -> Labels:
        """Return the labels that are equal in all counters that are reset together."""
        if not self.outcomes:
            return frozenset(labels.items())
        apart = self.outcomes | {"__name__"}
        return frozenset(item for item in labels.items() if item[0] not in apart)

    def _is_own(self, name: str) -> bool:
        return name in self.own or name.startswith((*self.prefixes, *ALWAYS_OWN))


@dataclass(frozen=True, slots=True)
class Target:
    """The series of one process: scraped at the same times, or derived from those."""

    labels: Mapping[str, str]
    """The labels that identify the process."""
    series: tuple[Series, ...]
    labelling: LabelSchema
    first: float
    """Time of its first scrape."""
    last: float
    """Time of its last scrape."""
    interval: float
    """Median number of seconds between its scrapes; a missed scrape does not change it."""

    @property
    def scraped_twice(self) -> bool:
        """Whether there was more than one scrape, so that the interval is known."""
        return self.first < self.last


@dataclass(frozen=True, slots=True)
class Increment:
    """The increase of a counter from one sample to the next."""

    series: Series
    at: float
    amount: int


def find_targets(series: Iterable[Series], labelling: LabelSchema) -> tuple[Target, ...]:
    """Group series by the process that they were scraped from; omit series without samples."""
    groups: defaultdict[Labels, list[Series]] = defaultdict(list)
    for counter in series:
        if counter.samples:
            groups[labelling.target_labels(counter.labels)].append(counter)
    return tuple(_target(key, group, labelling) for key, group in groups.items())


def _target(key: Labels, group: Iterable[Series], labelling: LabelSchema) -> Target:
    series = tuple(group)
    # Counters that appear late have fewer samples; the longest one has a sample of every scrape.
    longest = max(series, key=lambda counter: len(counter.samples))
    scrapes = tuple(map(_AT, longest.samples[-RECENT:]))
    gaps = tuple(map(sub, scrapes[1:], scrapes))
    scraped = Target(
        labels=dict(key),
        series=series,
        labelling=labelling,
        first=min(counter.samples[0].at for counter in series),
        last=max(counter.samples[-1].at for counter in series),
        interval=median(gaps) if gaps else UNKNOWN_INTERVAL,
    )
    return replace(scraped, series=(*series, *labelling.derived(scraped)))


def usual_interval(scraped: Iterable[Target]) -> float | None:
    """Return the shortest known interval; None: none is known."""
    return min((process.interval for process in scraped if process.scraped_twice), default=None)


def is_rare(process: Target, usual: float | None) -> bool:
    """Whether a process is scraped rarely, compared with the *usual* interval."""
    return usual is not None and process.interval > max(RARELY * usual, FREQUENT)


def watermark(
    scraped: Iterable[Target], born: Iterable[float] = (), *, usual: float | None = None
) -> float | None:
    """Find the latest time up to which all samples have arrived; None if there is no sample.

    A scrape's samples have the time of its start and appear when it has ended. So a sample that is
    missing is later than the last sample of its process, and later than one interval before the
    newest sample of all processes: a process that is gone delays the others by one interval at
    most. The time is a whole number of milliseconds, as in samples and in the status.

    A process that is scraped rarely is waited for only as long as its scrape may take: its next
    sample is then counted when it comes, with all requests since its last one.

    Args:
        scraped: The processes that have samples.
        born: Start times of running processes that have no sample yet.
        usual: The interval by which a process is rare; None: all are waited for.
    """
    targets = tuple(scraped)
    if not targets:
        return None
    newest = max(process.last for process in targets)
    longest = max(process.interval for process in targets)
    bounds = [max(process.last, newest - _patience(process, usual)) for process in targets]
    bounds += [max(moment, newest - longest) for moment in born]
    return round(min(newest, *bounds), 3)


def _patience(process: Target, usual: float | None) -> float:
    """Return how many seconds after its start a scrape of a process ends at the latest."""
    if usual is None or not is_rare(process, usual):
        return process.interval
    return max(SLOW_SCRAPE, usual)


def first_scrape(process: Target, since: float) -> float:
    """Return the time of the first scrape of a process that is not earlier than *since*."""
    times = (sample.at for series in process.series for sample in series.samples)
    return min((at for at in times if at >= since), default=since)


def increments(
    process: Target, *, young: bool = False, after: float = -inf
) -> Iterator[Increment]:
    """Yield the increment of each sample later than *after*.

    A counter that appears after the first scrape of its process starts from zero: many counters
    appear with their first event. The first scrape only sets the start of counting, unless the
    process is *young*: then its counters start from zero.
    """
    recent = [_last_before(series.samples, after) for series in process.series]
    resets = _resets(process, min(samples[0].at for samples in recent))
    for series, samples in zip(process.series, recent, strict=True):
        first = series.samples[0]
        if first.at > after and (young or first.at > process.first):
            yield Increment(series, first.at, round(first.value))
        restarts = resets.get(process.labelling.reset_group(series.labels), [])
        for before, sample in pairwise(samples):
            reset = any(before.at <= low and high <= sample.at for low, high in restarts)
            yield Increment(series, sample.at, _amount(before, sample, reset=reset))


def _last_before(samples: Sequence[Sample], after: float) -> Sequence[Sample]:
    """Return the samples later than *after*, and the one before them."""
    return samples[max(0, bisect_right(samples, after, key=_AT) - 1) :]


def _amount(before: Sample, sample: Sample, *, reset: bool) -> int:
    return round(sample.value) if reset else round(sample.value) - round(before.value)


def _resets(process: Target, since: float) -> dict[Labels, list[tuple[float, float]]]:
    """Find the pairs of times, from *since* on, between which counters were reset.

    A counter that decreased shows the reset of its whole group: the others may already have
    exceeded their old value.
    """
    resets: defaultdict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for series in process.series:
        for before, sample in pairwise(_last_before(series.samples, since)):
            if sample.value < before.value:
                group = process.labelling.reset_group(series.labels)
                resets[group].append((before.at, sample.at))
    return resets


def duplicate_target(
    scraped: Iterable[Target], identity: tuple[str, ...]
) -> tuple[str, str] | None:
    """Find a process that is scraped by two scrapers at the same time.

    Args:
        scraped: The processes, by all labels that the scrapers set.
        identity: Labels that identify a process, by priority: the first that is present is used.

    Returns:
        The label and its value; None: no process is scraped twice.
    """
    spans: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for process in scraped:
        name = next((name for name in identity if name in process.labels), None)
        if name is not None:
            span = (process.first, process.last)
            spans[name, process.labels[name]].append(span)
    for key, times in spans.items():
        ordered = sorted(times)
        if any(later[0] <= earlier[1] for earlier, later in pairwise(ordered)):
            return key
    return None
