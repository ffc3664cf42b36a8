"""The work queue, with client-go's guarantees.

A key is in the queue once, however often it is added; no two workers process the same key; a key
that is added while a worker processes it is processed again afterwards. A reconcile that fails is
repeated with exponential back-off, independently of the other keys.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from halimede import telemetry
from halimede.adapters.errors import OperatorError

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 300.0
JITTER = 0.1
"""Fraction by which a delay varies, so that keys which failed together are retried apart."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one reconcile."""

    requeue_after: float | None = None
    """Seconds until the next reconcile; None: only when something changes."""
    failed: bool = False
    """Something failed: reconcile again after the back-off, if that is sooner."""


def backoff(failures: int, chance: float) -> float:
    """Return the delay in seconds after *failures* in a row; *chance* in [0, 1) is the jitter.

    >>> [backoff(failures, 0.5) for failures in (1, 2, 3, 20)]
    [1.0, 2.0, 4.0, 300.0]
    """
    doubled = FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16)
    return min(doubled, LAST_RETRY_SECONDS) * (1 + JITTER * (2 * chance - 1))


class WorkQueue(Generic[K]):
    """The keys that are to be reconciled, and those that are being processed."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """Create an empty queue; *chance* returns the jitter of the back-off, in [0, 1)."""
        self._chance = chance
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._waiting: dict[K, float] = {}  # since when, by the loop's clock
        self._processing: set[K] = set()
        self._failures: dict[K, int] = {}
        self._alarms: dict[K, asyncio.TimerHandle] = {}
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Return the number of keys that wait to be processed."""
        return len(self._waiting)

    def oldest_seconds(self) -> float:
        """Return how long the oldest key has waited, in seconds; 0 if there is none."""
        since = min(self._waiting.values(), default=None)
        return asyncio.get_running_loop().time() - since if since is not None else 0.0

    def add(self, key: K) -> None:
        """Add *key*, to be processed as soon as a worker is free."""
        if self._closed or key in self._waiting:
            return
        self._waiting[key] = asyncio.get_running_loop().time()
        telemetry.QUEUE_DEPTH.set(len(self._waiting))
        if key not in self._processing:
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
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

    async def run_worker(self, reconcile: Callable[[K], Awaitable[Result]]) -> None:
        """Run one worker: process one key after the other until cancelled."""
        while True:
            key = await self._ready.get()
            if not self._closed:
                await self._process(key, reconcile)

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

    async def _process(self, key: K, reconcile: Callable[[K], Awaitable[Result]]) -> None:
        self._waiting.pop(key, None)
        telemetry.QUEUE_DEPTH.set(len(self._waiting))
        self._processing.add(key)
        self._idle.clear()
        try:
            self._finish(key, await reconcile(key))
        except OperatorError as error:
            log.warning("Reconcile failed, will retry: %s", error, extra={"key": str(key)})
            self._fail(key, error)
        except Exception as error:
            # A bug in one reconcile must stop neither the worker nor the other keys.
            log.exception(
                "Reconcile failed with an unexpected error, will retry", extra={"key": str(key)}
            )
            self._fail(key, error)
        finally:
            self._processing.discard(key)
            if key in self._waiting:
                self._ready.put_nowait(key)
            if not self._processing:
                self._idle.set()

    def _finish(self, key: K, result: Result) -> None:
        due = [] if result.requeue_after is None else [result.requeue_after]
        if result.failed:
            self._failures[key] = self._failures.get(key, 0) + 1
            due.append(backoff(self._failures[key], self._chance()))
        else:
            self._failures.pop(key, None)
        if due:
            self.add_after(key, min(due))

    def _fire(self, key: K) -> None:
        del self._alarms[key]
        self.add(key)

    def _fail(self, key: K, error: Exception) -> None:
        telemetry.ERRORS.labels(type(error).__name__).inc()
        self._finish(key, Result(failed=True))
