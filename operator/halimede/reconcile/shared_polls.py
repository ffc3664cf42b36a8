"""Polls that are read together, so that they share their queries.

Those of a namespace with the same provider are a group. It reads one batch after the other: polls
that come while a batch is read wait for the next one. A single ModelDeployment waits for nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from halimede.adapters.poll_answers import Readings
from halimede.adapters.prometheus import MetricsReader
from halimede.adapters.store import Key
from halimede.api.analysis import MetricsProvider
from halimede.api.reasons import UnavailableReason
from halimede.judge.reading import MetricsQueries, Reading, Unavailable
from halimede.reconcile.fair_slots import FairSlots

SPACING_SECONDS, SPACING_INTERVALS = 5.0, 1 / 3
"""Time from one batch of a group to the next: the smaller of the two. Three batches in the default
interval of 15 s are at most 20 queries a second for 50 namespaces whose polls take two queries."""
GATHERING = 1 / 10
"""How long the first poll of a batch waits for others, as a part of the spacing. Polls that were
read together are due together again, but their reconciles take a while one after the other."""
COMPANY_INTERVALS = 2.0
"""How long a group with several ModelDeployments expects the others."""
MOST = 50
"""Polls in a batch at most; half of that, down to one, after a batch that is not answered."""
FEW = 8
"""Polls in a batch at least while Prometheus is unreachable: more queries would not help it."""
FORGET_SECONDS = 600.0
"""Time without polls after which a group is forgotten, with how many polls it could read."""

PlanPoll = Callable[[float], MetricsQueries | None]
"""Returns the queries of a poll at a UNIX time; None: none is due any more."""


class Group(NamedTuple):
    """Polls that can be read together."""

    namespace: str
    provider: MetricsProvider
    history: bool
    """Whether they read the history, which takes longer."""


@dataclass(frozen=True, eq=False, slots=True)
class _Waiting:
    """A poll that waits for its batch."""

    key: Key
    plan: PlanPoll
    interval: float
    since: float
    """When it began to wait, by the clock of the event loop."""
    begun: "asyncio.Future[None]"
    answer: "asyncio.Future[Reading | None]"

    def fail(self, error: Exception) -> None:
        """Raise an error of ours where the poll was begun."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def end(self, reading: Reading | None) -> None:
        """Return the reading where the poll was begun, unless it is no longer awaited."""
        if not self.answer.done():
            self.answer.set_result(reading)


class SharedPolls:
    """Reads polls in batches, by group."""

    def __init__(
        self, reader: MetricsReader, slots: FairSlots, clock: Callable[[], float]
    ) -> None:
        """Read by *reader*; a batch takes one of the *slots*. *clock* returns the UNIX time."""
        self._reader, self._slots, self._clock = reader, slots, clock
        self._groups: dict[Group, _Batches] = {}
        self._tasks: dict[Group, asyncio.Task[None]] = {}

    async def read(
        self, group: Group, key: Key, plan: PlanPoll, interval: float, seconds: float
    ) -> Reading | None:
        """Read a poll with others of its group; None: it is no longer due when it has its turn.

        Args:
            group: The group.
            key: The ModelDeployment.
            plan: Plans the queries for the time at which they are asked.
            interval: The seconds from one poll of this ModelDeployment to the next.
            seconds: How long to wait for its turn.

        Raises:
            TimeoutError: It had no turn in time.
        """
        loop = asyncio.get_running_loop()
        begun, answer = loop.create_future(), loop.create_future()
        if group not in self._groups:
            self._groups[group] = _Batches()
            self._tasks[group] = asyncio.create_task(self._run(group))
        self._groups[group].add(_Waiting(key, plan, interval, loop.time(), begun, answer))
        async with asyncio.timeout(seconds):
            await begun
        reading: Reading | None = await answer
        return reading

    def close(self) -> None:
        """Read no more batches."""
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, group: Group) -> None:
        """Read the batches of a group until it has had no polls for long."""
        batches = self._groups[group]
        while await batches.wait():
            async with self._slots.take(group.namespace, None):
                await self._read(batches)
        del self._groups[group], self._tasks[group]

    async def _read(self, batches: "_Batches") -> None:
        planned = _plan(batches.take(), self._clock())
        if not planned:
            return
        try:
            answered = await self._reader.read_together(list(planned.values()))
        except Exception as error:  # noqa: BLE001 -- the reconciles raise it, see `_Waiting.fail`
            for waiting in planned:
                waiting.fail(error)
            return
        batches.learn(answered)
        for waiting, reading in zip(planned, answered.readings, strict=True):
            waiting.end(reading)


def _plan(batch: Sequence[_Waiting], now: float) -> dict[_Waiting, MetricsQueries]:
    """Plan the polls of a batch, and end those that are no longer due."""
    planned: dict[_Waiting, MetricsQueries] = {}
    for waiting in batch:
        try:
            queries = waiting.plan(now)
        except Exception as error:  # noqa: BLE001 -- one reconcile raises it, not the others
            waiting.fail(error)
            continue
        if queries is None:
            waiting.end(None)
        else:
            planned[waiting] = queries
    return planned


class _Batches:
    """The polls of a group that wait, and when the next batch of them begins."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._most = MOST
        self._began_at = -inf
        self._last: Key | None = None
        self._company_until = -inf
        """Until when other ModelDeployments than the last one are expected."""

    def add(self, waiting: _Waiting) -> None:
        """Add a poll to the next batch."""
        self._waiting.append(waiting)
        self._arrived.set()

    async def wait(self) -> bool:
        """Wait until a batch may begin; return False if no poll came for long."""
        while True:
            seconds = self._seconds_to_wait() if self._waiting else FORGET_SECONDS
            if seconds <= 0:
                return True
            self._arrived.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()
            except TimeoutError:
                if not self._waiting:
                    return False

    def take(self) -> list[_Waiting]:
        """Return the polls of the next batch, which begins now."""
        now = asyncio.get_running_loop().time()
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._most:
            waiting = self._waiting.popleft()
            if not waiting.begun.done():  # still awaited
                waiting.begun.set_result(None)
                batch.append(waiting)
        for waiting in batch:
            if self._last not in {None, waiting.key}:
                self._company_until = now + COMPANY_INTERVALS * waiting.interval
            self._last = waiting.key
        self._began_at = now
        return batch

    def learn(self, answered: Readings) -> None:
        """Set how many polls the next batches may have, by how the last one was answered."""
        size = len(answered.readings)
        reasons = {
            answer.why
            for reading in answered.readings
            for answer in (reading.history or reading).answers.values()
            if isinstance(answer, Unavailable)
        }
        if UnavailableReason.UNREACHABLE in reasons:
            self._most = min(self._most, max(FEW, size // 2))
        elif not answered.together:
            self._most = max(1, size // 2)
        elif not reasons:
            self._most = min(MOST, self._most + 1)

    def _seconds_to_wait(self) -> float:
        first, now = self._waiting[0], asyncio.get_running_loop().time()
        alone = len(self._waiting) == 1 and self._last in {None, first.key}
        if (alone and now >= self._company_until) or len(self._waiting) >= self._most:
            return 0.0
        shortest = min(waiting.interval for waiting in self._waiting)
        spacing = min(SPACING_SECONDS, SPACING_INTERVALS * shortest)
        return max(self._began_at + spacing, first.since + GATHERING * spacing) - now
