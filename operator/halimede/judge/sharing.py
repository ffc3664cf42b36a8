"""Ask Prometheus once for the counters of several ModelDeployments.

Queries for the same source that differ only in the values of their matchers are joined: the shared
query accepts the values of all. Its answer has more series than any of them, and older samples, so
it is split: each ModelDeployment gets exactly the series and samples that its own query would have
returned. So the judge sees no difference.
"""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from operator import attrgetter
from typing import NamedTuple
from urllib.parse import quote

from halimede.judge.counter_queries import CounterQueries
from halimede.judge.promql import Alternatives, Query, Regex, any_of, literal
from halimede.judge.reading import CounterSamples, Series

MAX_CHARACTERS = 6000
"""Of the values in one shared query, as they are written in a URL: many proxies accept 8192."""

_AT = attrgetter("at")
_WORD = re.compile("[0-9A-Za-z]+")
Labels = Mapping[str, str]
_Value = tuple[int, str, str | Regex]
"""The position of a query, a label, and a value of its matcher."""
Members = int
"""A set of members: the bit `1 << i` stands for member `i`."""


class Asked(NamedTuple):
    """A poll's own queries for a source."""

    poll: int
    """Which poll; for the caller."""
    queries: CounterQueries


class Shared(NamedTuple):
    """Queries whose answer serves several polls."""

    members: tuple[Asked, ...]
    queries: CounterQueries


def join(asked: Iterable[Asked]) -> list[Shared]:
    """Join queries for the same source as far as possible.

    Windows of one query differ by less than a factor of two, so that one that must look back far
    does not make the answers of all others large.
    """
    alike: defaultdict[Hashable, list[Asked]] = defaultdict(list)
    for one in asked:
        alike[_form(one.queries)].append(one)
    return [_shared(part) for members in alike.values() for part in _divide(members)]


def halve(shared: Shared) -> tuple[Shared, ...]:
    """Divide queries that Prometheus did not answer; `()` if they are those of one poll."""
    members = shared.members
    if len(members) == 1:
        return ()
    middle = len(members) // 2
    return _shared(members[:middle]), _shared(members[middle:])


def split(shared: Shared, results: Sequence[Iterable[Series]]) -> list[CounterSamples]:
    """Split the answer to shared queries.

    Args:
        shared: The queries.
        results: The series of each, with samples that are no finite numbers.

    Returns:
        The answer of each member.
    """
    answers: list[list[Series]] = [[] for _ in shared.members]
    for position, result in enumerate(results):
        own = [member.queries.queries[position] for member in shared.members]
        if own[0].counted_by is None:
            windows = [member.queries.since for member in shared.members]
            _split_samples(own, result, windows, answers)
        else:
            _split_values(own, result, own[0].counted_by[0], answers)
    return [CounterSamples(tuple(answer)) for answer in answers]


def _shared(members: Sequence[Asked]) -> Shared:
    return Shared(tuple(members), _union([member.queries for member in members]))


def _form(queries: CounterQueries) -> Hashable:
    """Return what is equal in queries that can be joined."""
    return (
        queries.source,
        queries.policy,
        ceil(queries.window).bit_length(),
        tuple(
            (
                tuple(query.matchers),
                tuple(query.excluded.items()),
                query.counted_by,
                # These are not in the answer, so it cannot be split by them.
                query.counted_by and _without(query.matchers, query.counted_by),
            )
            for query in queries.queries
        ),
    )


def _without(matchers: Mapping[str, Alternatives], labels: tuple[str, str]) -> Hashable:
    return tuple((name, values) for name, values in matchers.items() if name not in labels)


def _divide(members: Iterable[Asked]) -> Iterator[list[Asked]]:
    """Divide members, so that the queries of each part are short enough for a URL."""
    part: list[Asked] = []
    written: set[_Value] = set()
    length: Counter[int] = Counter()
    for member in members:
        values = set(_values(member.queries.queries))
        if part and max((length + _lengths(values - written)).values()) > MAX_CHARACTERS:
            yield part
            part, written, length = [], set(), Counter()
        length += _lengths(values - written)
        written |= values
        part.append(member)
    yield part


def _values(queries: Iterable[Query]) -> Iterator[_Value]:
    for position, query in enumerate(queries):
        for label, values in query.matchers.items():
            for value in values:
                yield position, label, value


def _lengths(values: Iterable[_Value]) -> Counter[int]:
    """Return how long values are in a URL, by the position of the query."""
    lengths: Counter[int] = Counter()
    for position, _, value in values:
        lengths[position] += len(quote(literal(f"{any_of((value,))}|")))
    return lengths


def _union(asked: Sequence[CounterQueries]) -> CounterQueries:
    first = asked[0]
    if len(asked) == 1:
        return first
    return replace(
        first,
        queries=tuple(map(_joined, zip(*(queries.queries for queries in asked), strict=True))),
        window=max(queries.window for queries in asked),
    )


def _joined(own: tuple[Query, ...]) -> Query:
    matchers = {
        label: tuple(dict.fromkeys(value for query in own for value in query.matchers[label]))
        for label in own[0].matchers
    }
    return replace(own[0], matchers=matchers)


def _split_samples(
    own: Sequence[Query],
    result: Iterable[Series],
    windows: Sequence[float],
    answers: Sequence[list[Series]],
) -> None:
    owners = _owners(own, own[0].matchers)
    for series in result:
        finite = all(isfinite(sample.value) for sample in series.samples)
        for member in _bits(owners(series.labels)):
            samples = series.samples[bisect_right(series.samples, windows[member], key=_AT) :]
            if samples:
                if not finite:
                    samples = tuple(sample for sample in samples if isfinite(sample.value))
                answers[member].append(replace(series, samples=samples))


def _split_values(
    own: Sequence[Query], result: Iterable[Series], label: str, answers: Sequence[list[Series]]
) -> None:
    owners = _owners(own, own[0].counted_by or ())
    values: list[dict[str, None]] = [{} for _ in own]
    for series in result:
        for member in _bits(owners(series.labels)):
            values[member].setdefault(series.labels.get(label, ""))
    for answer, found in zip(answers, values, strict=True):
        answer.extend(Series({label: value}, ()) for value in found)


def _bits(members: Members) -> Iterator[int]:
    while members:
        lowest = members & -members
        yield lowest.bit_length() - 1
        members ^= lowest


def _owners(own: Sequence[Query], labels: Iterable[str]) -> Callable[[Labels], Members]:
    """Return a function that finds the members whose matchers accept the labels of a series."""
    everyone = (1 << len(own)) - 1
    differing = {
        label: _Index([query.matchers[label] for query in own])
        for label in labels
        if any(query.matchers.get(label) != own[0].matchers.get(label) for query in own)
    }

    def owners(series: Labels) -> Members:
        members = everyone
        for label, index in differing.items():
            members &= index.find(series.get(label, ""))
        return members

    return owners


@dataclass(frozen=True, slots=True)
class _Pattern:
    pattern: re.Pattern[str]
    members: Members


class _Index:
    """Finds the members that accept a value, without asking each of them.

    A value is looked up only once. A pattern is tried only on values that contain its word.
    """

    def __init__(self, accepted: Sequence[Alternatives]) -> None:
        self._found: dict[str, Members] = {}
        self._names: defaultdict[str, Members] = defaultdict(int)
        patterns: defaultdict[Regex, Members] = defaultdict(int)
        for member, values in enumerate(accepted):
            for value in values:
                if isinstance(value, Regex):
                    patterns[value] |= 1 << member
                else:
                    self._names[value] |= 1 << member
        self._patterns: defaultdict[str, list[_Pattern]] = defaultdict(list)
        for regex, members in patterns.items():
            self._patterns[regex.word].append(_Pattern(re.compile(regex.pattern), members))

    def find(self, value: str) -> Members:
        """Return the members that accept *value*."""
        found = self._found.get(value)
        if found is None:
            found = self._found[value] = self._search(value)
        return found

    def _search(self, value: str) -> Members:
        found = self._names.get(value, 0)
        for word in {"", *_WORD.findall(value)}:
            for one in self._patterns.get(word, ()):
                if one.pattern.fullmatch(value):
                    found |= one.members
        return found
