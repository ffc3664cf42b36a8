"""The answers of polls that are read together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from halimede.api.sources import SourceId
from halimede.judge.counter_queries import CounterQueries
from halimede.judge.reading import (
    Answer,
    CustomQueries,
    History,
    MetricsQueries,
    Reading,
    Unavailable,
)
from halimede.judge.sharing import Asked, Shared


class Readings(NamedTuple):
    """The readings of several polls."""

    readings: tuple[Reading, ...]
    together: bool = True
    """False: Prometheus did not answer a shared query, so fewer polls should be read together."""


class PollAnswers:
    """The answers of polls, as they come."""

    def __init__(self, polls: Sequence[MetricsQueries]) -> None:
        """Start without answers, except to what cannot be asked."""
        self._polls = polls
        self._answers: list[dict[SourceId, Answer]] = [{} for _ in polls]
        self.together = True
        """Whether Prometheus has answered all shared queries so far."""
        self.counters: dict[SourceId, list[Asked]] = {}
        """By source, the polls with built-in queries."""
        self.custom: list[tuple[int, SourceId, CustomQueries]] = []
        """The polls with custom queries of a source."""
        for poll, planned in enumerate(polls):
            for source, queries in planned.by_source.items():
                match queries:
                    case CounterQueries():
                        self.counters.setdefault(source, []).append(Asked(poll, queries))
                    case CustomQueries():
                        self.custom.append((poll, source, queries))
                    case Unavailable():
                        self.put(poll, source, queries)

    def put(self, poll: int, source: SourceId, answer: Answer) -> None:
        """Add an answer."""
        self._answers[poll][source] = answer

    def put_each(self, shared: Shared, source: SourceId, answers: Iterable[Answer]) -> None:
        """Add the answers of those that share queries."""
        for member, answer in zip(shared.members, answers, strict=True):
            self.put(member.poll, source, answer)

    def readings(self) -> Readings:
        """Return the readings of all polls."""
        return Readings(tuple(map(_reading, self._polls, self._answers)), self.together)


def _reading(planned: MetricsQueries, answers: Mapping[SourceId, Answer]) -> Reading:
    request = planned.request
    ordered = {source: answers[source] for source in planned.by_source}
    if request.since is None:
        return Reading(request, history=History(request, ordered))
    return Reading(request, ordered)
