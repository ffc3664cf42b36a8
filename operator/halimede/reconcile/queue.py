"""The work queue, with client-go's guarantees.

A key is in the queue once, however often it is added; no two workers process the same key; a key
that is added while a worker processes it is processed again afterwards. A reconcile that fails is
repeated with exponential back-off, independently of the other keys. `Schedule` chooses the order.
A key that returns again and again has to wait between its reconciles (`RateLimit`).
"""

import asyncio
import logging
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from halimede import telemetry
from halimede.adapters.errors import OperatorError, TransientError
from halimede.adapters.store import Key
from halimede.plan.priority import Priority
from halimede.reconcile.rate_limit import RateLimit
from halimede.reconcile.schedule import Schedule

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 300.0
LAST_URGENT_RETRY_SECONDS = 10.0
"""The longest back-off of a key whose requests may have to be taken back."""
URGENT_WAIT_SECONDS = 0.1
"""How long such a key has to wait if it returns again and again."""
JITTER = 0.1
"""Fraction by which a delay varies, so that keys which failed together are retried apart."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one reconcile."""

    requeue_after: float | None = None
    """Seconds until the next reconcile; None: only when something changes."""
    failed: bool = False
    """Something failed: reconcile again after the back-off, if that is sooner."""
    retry_after: float = 0.0
    """Seconds for which the API server wants no repetition."""
    contested: bool = False
    """Another client was faster, or has created an object with the name of a child."""
    writes: int = 0
    """The writes that were sent."""


def backoff(failures: int, chance: float) -> float:
    """Return the delay in seconds after *failures* in a row; *chance* in [0, 1) is the jitter.

    >>> [backoff(failures, 0.5) for failures in (1, 2, 3, 20)]
    [1.0, 2.0, 4.0, 300.0]
    """
    doubled = FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16)
    return min(doubled, LAST_RETRY_SECONDS) * (1 + JITTER * (2 * chance - 1))


class WorkQueue:
    """The keys that are to be reconciled, and those that are being processed."""

    def __init__(
        self,
        workers: int,
        priority: Callable[[Key], Priority],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Create an empty queue.

        Args:
            workers: How many workers will run.
            priority: Returns the priority of a key at the moment at which it is added.
            chance: Returns the jitter of the back-off, in [0, 1).
        """
        self._priority, self._chance = priority, chance
        self._schedule = Schedule(workers)
        self._limit = RateLimit()
        self._changed: set[Key] = set()
        """The waiting keys that others have changed; our own times and polls cost nothing."""
        self._since: dict[Key, float] = {}
        """Since when the waiting keys have waited, by the loop's clock."""
        self._free_workers: deque[asyncio.Future[None]] = deque()
        self._workers = 0
        self._working_since = math.inf
        """When the workers started; a replica that does not lead has none."""
        self._last_end = -math.inf
        self._failures: dict[Key, int] = {}
        self._alarms: dict[Key, asyncio.TimerHandle] = {}
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Return the number of keys that wait to be processed."""
        return len(self._since)

    def depth(self, priority: Priority) -> int:
        """Return the number of keys of a priority that wait."""
        return sum(one is priority for one in self._schedule.waiting.values())

    def oldest_seconds(self, priority: Priority) -> float:
        """Return how long the oldest key of a priority has waited for the workers, in seconds."""
        keys = (key for key, one in self._schedule.waiting.items() if one is priority)
        return self._seconds_since(min((self._since[key] for key in keys), default=math.inf))

    def export_metrics(self) -> None:
        """Let the metrics of the queue show this one."""
        for priority in Priority:
            depth = telemetry.QUEUE_DEPTH.labels(priority.name.lower())
            depth.set_function(partial(self.depth, priority))
            oldest = telemetry.QUEUE_SECONDS.labels(priority.name.lower())
            oldest.set_function(partial(self.oldest_seconds, priority))

    def describe(self) -> str:
        """Describe how many keys wait, by priority, and for how long; a line each."""
        return "\n".join(
            f"{priority.name.lower()}: {self.depth(priority)} waiting,"
            f" the oldest for {self.oldest_seconds(priority):.0f} s"
            for priority in Priority
        )

    def stalled_seconds(self) -> float:
        """Return for how long workers have had keys and ended no reconcile, in seconds."""
        oldest = min(self._since.values(), default=math.inf)
        return self._seconds_since(max(oldest, self._last_end))

    def add(self, key: Key) -> None:
        """Add *key*, to be processed when it is its turn."""
        self._add(key, self._priority(key))

    def add_changed(self, key: Key, seconds: float = 0.0, *, urgent: bool = False) -> None:
        """Add *key* after *seconds*, or later if it has been reconciled too often.

        Args:
            key: The key of an object that has changed, or has a child that has.
            seconds: The delay, in which further changes may follow.
            urgent: Whether the change may be a reason to take requests back.
        """
        if not (urgent and self._priority(key) is Priority.TRAFFIC):
            seconds = max(seconds, self._limit.wait(key, asyncio.get_running_loop().time()))
        self._changed.add(key)
        if seconds:
            self.add_after(key, seconds)
        else:
            self.add(key)

    def resync(self, key: Key) -> None:
        """Add *key* though nothing is known to have changed: what only serves can wait."""
        priority = self._priority(key)
        self._add(key, Priority.BACKGROUND if priority is Priority.SERVING else priority)

    def add_after(self, key: Key, seconds: float) -> None:
        """Add *key* after *seconds*, unless it will be added sooner."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        alarm = self._alarms.get(key)
        if alarm is not None:
            if alarm.when() <= due:
                return
            alarm.cancel()
        self._alarms[key] = loop.call_at(due, self._fire, key)

    async def run_worker(self, reconcile: Callable[[Key], Awaitable[Result]]) -> None:
        """Run one worker: process one key after the other until cancelled."""
        if not self._workers:
            self._working_since = asyncio.get_running_loop().time()
        self._workers += 1
        try:
            while True:
                key = await self._next()
                await self._process(key, reconcile)
                # A reconcile that writes nothing waits for nothing, so it does not let go of the
                # event loop either: many of them would delay everything else.
                await asyncio.sleep(0)
        finally:
            self._workers -= 1
            if not self._workers:
                self._working_since = math.inf

    async def shut_down(self, seconds: float) -> bool:
        """Stop processing new keys; return whether those in process finished within *seconds*."""
        self._closed = True
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _next(self) -> Key:
        """Wait for the key that is to be processed next."""
        while self._closed or (key := self._schedule.take()) is None:
            free = asyncio.get_running_loop().create_future()
            self._free_workers.append(free)
            await free
        return key

    async def _process(self, key: Key, reconcile: Callable[[Key], Awaitable[Result]]) -> None:
        del self._since[key]
        self._idle.clear()
        changed = key in self._changed
        self._changed.discard(key)
        try:
            self._finish(key, await reconcile(key), changed=changed)
        except OperatorError as error:
            log.warning("Reconcile failed, will retry: %s", error, extra={"key": str(key)})
            self._fail(key, error, changed=changed)
        except Exception as error:
            # A bug in one reconcile must stop neither the worker nor the other keys.
            log.exception(
                "Reconcile failed with an unexpected error, will retry", extra={"key": str(key)}
            )
            self._fail(key, error, changed=changed)
        finally:
            self._schedule.done(key, self._priority(key))
            self._last_end = asyncio.get_running_loop().time()
            self._wake_worker()  # besides this one: the key itself may wait again
            if self._schedule.is_idle:
                self._idle.set()

    def _finish(self, key: Key, result: Result, *, changed: bool) -> None:
        now, urgent = asyncio.get_running_loop().time(), self._priority(key) is Priority.TRAFFIC
        counts = changed or result.failed or result.contested
        if counts and self._limit.spend(key, 1 + result.writes, now):
            log.warning("Changes again and again, so it has to wait", extra={"key": str(key)})
        due = [] if result.requeue_after is None else [result.requeue_after]
        if result.failed:
            self._failures[key] = self._failures.get(key, 0) + 1
            delay = backoff(self._failures[key], self._chance())
            due.append(min(delay, LAST_URGENT_RETRY_SECONDS) if urgent else delay)
        else:
            self._failures.pop(key, None)
        if due:
            wait = self._limit.wait(key, now)
            wait = min(wait, URGENT_WAIT_SECONDS) if urgent else wait
            self.add_after(key, max(min(due), wait, result.retry_after))

    def _fire(self, key: Key) -> None:
        del self._alarms[key]
        self.add(key)

    def _fail(self, key: Key, error: Exception, *, changed: bool) -> None:
        telemetry.ERRORS.labels(type(error).__name__).inc()
        retry_after = error.retry_after if isinstance(error, TransientError) else None
        result = Result(failed=True, retry_after=retry_after or 0.0, writes=1)
        self._finish(key, result, changed=changed)

    def _add(self, key: Key, priority: Priority) -> None:
        if self._closed:
            return
        self._schedule.add(key, priority)
        self._since.setdefault(key, asyncio.get_running_loop().time())
        self._wake_worker()

    def _wake_worker(self) -> None:
        """Let one free worker look for a key. A worker that is not free looks when it is."""
        while self._free_workers:
            free = self._free_workers.popleft()
            if not free.done():  # its task is not being cancelled
                free.set_result(None)
                return

    def _seconds_since(self, moment: float) -> float:
        now = asyncio.get_running_loop().time()
        return max(0.0, now - max(moment, self._working_since))
