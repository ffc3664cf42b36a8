"""Exact increments of counters from raw samples.

`increase()` extrapolates and loses a series' first sample
(https://github.com/prometheus/prometheus/issues/3746), so neither counts nor tests may rest on it.
Here every sample stands for what happened since the sample before it, and is counted in the one
poll whose window its time falls in. Nothing is counted twice, and nothing is passed over as long
as a scrape takes no longer than the scrape interval, which Prometheus enforces.
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
"""The last so many scrapes of a process tell how often it is scraped."""
UNKNOWN_INTERVAL = 60.0
"""Seconds between scrapes of a process that has been scraped only once: Prometheus's default."""

ALWAYS_OWN = ("exported_", "_")
"""How labels begin that a process gave itself: Prometheus's name for one that the scraper gives
too, and `__name__` and Triton's `metric_tags`."""

_AT = attrgetter("at")

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class LabelSchema:
    """Which labels of a product's series come from the product. All others are the scraper's."""

    own: frozenset[str]
    """Labels that the process itself gives."""
    prefixes: tuple[str, ...] = ()
    """How further such labels begin."""
    outcomes: frozenset[str] = frozenset()
    """Own labels that only tell outcomes apart: such counters start anew together. Empty: each
    counter starts anew by itself."""
    derived: Callable[["Target"], tuple[Series, ...]] = lambda _: ()
    """Computes further counters from those of one process, which the process does not have
    itself."""

    def target_labels(self, labels: Mapping[str, str]) -> Labels:
        """Leave the labels that tell a scraped process from others."""
        return frozenset(item for item in labels.items() if not self._is_own(item[0]))

    def reset_group(self, labels: Mapping[str, str]) -> Labels:
        """Leave the labels that counters share which start anew together."""
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
    """What tells it from other processes."""
    series: tuple[Series, ...]
    labelling: LabelSchema
    first: float
    """When it was scraped first."""
    last: float
    """When it was scraped last."""
    interval: float
    """Seconds between its scrapes; a missed one does not change it."""


@dataclass(frozen=True, slots=True)
class Increment:
    """What one sample added to its counter."""

    series: Series
    at: float
    amount: int


def find_targets(series: Iterable[Series], labelling: LabelSchema) -> tuple[Target, ...]:
    """Sort series by the process that they were scraped from; series without samples drop out."""
    found: defaultdict[Labels, list[Series]] = defaultdict(list)
    for one in series:
        if one.samples:
            found[labelling.target_labels(one.labels)].append(one)
    return tuple(_target(key, group, labelling) for key, group in found.items())


def _target(key: Labels, group: Iterable[Series], labelling: LabelSchema) -> Target:
    series = tuple(group)
    # Counters that appear late have fewer samples; some counter has been there all the while.
    longest = max(series, key=lambda one: len(one.samples))
    scrapes = tuple(map(_AT, longest.samples[-RECENT:]))
    gaps = tuple(map(sub, scrapes[1:], scrapes))
    scraped = Target(
        labels=dict(key),
        series=series,
        labelling=labelling,
        first=min(one.samples[0].at for one in series),
        last=max(one.samples[-1].at for one in series),
        interval=median(gaps) if gaps else UNKNOWN_INTERVAL,
    )
    return replace(scraped, series=(*series, *labelling.derived(scraped)))


def watermark(scraped: Iterable[Target], born: Iterable[float] = ()) -> float | None:
    """Find the latest moment of which no sample can still come; None if there is no sample.

    A scrape's samples bear the time it began and are seen when it has ended. So what is not seen
    yet of a process is later than its last sample, and later than one interval before the newest
    sample of all: a process that is gone holds the others up by no more than
    that. The moment is a whole number of milliseconds, as samples and the status have it.

    Args:
        scraped: the processes that have samples.
        born: when processes started that are known to run but have no sample yet.
    """
    known = tuple(scraped)
    if not known:
        return None
    newest = max(process.last for process in known)
    longest = max(process.interval for process in known)
    bounds = [max(process.last, newest - process.interval) for process in known]
    bounds += [max(moment, newest - longest) for moment in born]
    return round(min(newest, *bounds), 3)


def increments(
    process: Target, *, young: bool = False, after: float = -inf
) -> Iterator[Increment]:
    """Yield what each sample later than *after* added to its counter.

    A counter that appears in a process that had been scraped before starts from zero: many
    counters appear with their first event. The first scrape of all tells only where counting
    starts, unless the process is *young*: so new that all it ever did counts.
    """
    recent = [_last_before(series.samples, after) for series in process.series]
    resets = _resets(process, min(samples[0].at for samples in recent))
    for series, samples in zip(process.series, recent, strict=True):
        first = series.samples[0]
        if first.at > after and (young or first.at > process.first):
            yield Increment(series, first.at, round(first.value))
        restarts = resets.get(process.labelling.reset_group(series.labels), [])
        for before, sample in pairwise(samples):
            anew = any(before.at <= low and high <= sample.at for low, high in restarts)
            yield Increment(series, sample.at, _amount(before, sample, anew=anew))


def _last_before(samples: Sequence[Sample], after: float) -> Sequence[Sample]:
    """Leave the samples later than *after*, and the one before them."""
    return samples[max(0, bisect_right(samples, after, key=_AT) - 1) :]


def _amount(before: Sample, sample: Sample, *, anew: bool) -> int:
    return round(sample.value) if anew else round(sample.value) - round(before.value)


def _resets(process: Target, since: float) -> dict[Labels, list[tuple[float, float]]]:
    """Find between which times, from *since* on, counters started anew.

    One that fell tells it of those beside it too, which may have passed their old value already.
    """
    found: defaultdict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for series in process.series:
        for before, sample in pairwise(_last_before(series.samples, since)):
            if sample.value < before.value:
                together = process.labelling.reset_group(series.labels)
                found[together].append((before.at, sample.at))
    return found


def duplicate_target(
    scraped: Iterable[Target], identity: tuple[str, ...]
) -> tuple[str, str] | None:
    """Find a process that is scraped by two at the same time.

    Args:
        scraped: the processes, told apart by all that the scrapers say of them.
        identity: the labels of which the first that is there tells a process.

    Returns:
        The label and its value; None: no process is in there twice.
    """
    spans: defaultdict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for process in scraped:
        name = next((name for name in identity if name in process.labels), None)
        if name is not None:
            span = (process.first, process.last)
            spans[name, process.labels[name]].append(span)
    for who, times in spans.items():
        ordered = sorted(times)
        if any(later[0] <= earlier[1] for earlier, later in pairwise(ordered)):
            return who
    return None
