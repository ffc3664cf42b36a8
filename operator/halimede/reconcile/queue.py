"""The work queue: events say *that* something changed, the queue says *when* it is looked at.

What it promises: a key waits in it once, however often it is added; no two workers hold the same
key; a key that is added while a worker holds it is handed out again afterwards. A look that fails
is repeated, ever more patiently, and independently of the other keys.
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
"""Share by which a delay is varied, so that keys which failed together part again."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one look at a key went."""

    requeue_after: float | None = None
    """Seconds until the next look is due; None: only when something changes."""
    failed: bool = False
    """Something could not be done: look again after the back-off, if that is sooner."""


def backoff(failures: int, chance: float) -> float:
    """Tell how many seconds to wait after *failures* in a row; *chance* in [0, 1) is the jitter.

    >>> [backoff(failures, 0.5) for failures in (1, 2, 3, 20)]
    [1.0, 2.0, 4.0, 300.0]
    """
    doubled = FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16)
    return min(doubled, LAST_RETRY_SECONDS) * (1 + JITTER * (2 * chance - 1))


class WorkQueue(Generic[K]):
    """Keys that want a look, and who is looking at them."""

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        """Start empty; *chance* draws the jitter of the back-off."""
        self._chance = chance
        self._turns: asyncio.Queue[K] = asyncio.Queue()
        self._wanted: dict[K, float] = {}  # since when, by the loop's clock
        self._held: set[K] = set()
        self._failures: dict[K, int] = {}
        self._alarms: dict[K, asyncio.TimerHandle] = {}
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        """Count the keys that want a look."""
        return len(self._wanted)

    def oldest_seconds(self) -> float:
        """Tell how long the key that has waited longest has waited."""
        since = min(self._wanted.values(), default=None)
        return asyncio.get_running_loop().time() - since if since is not None else 0.0

    def add(self, key: K) -> None:
        """Have *key* looked at as soon as a worker is free."""
        if self._closed or key in self._wanted:
            return
        self._wanted[key] = asyncio.get_running_loop().time()
        telemetry.QUEUE_DEPTH.set(len(self._wanted))
        if key not in self._held:
            self._turns.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Have *key* looked at in *seconds*, unless that is due sooner anyway."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        alarm = self._alarms.get(key)
        if alarm is not None:
            if alarm.when() <= due:
                return
            alarm.cancel()
        self._alarms[key] = loop.call_at(due, self._ring, key)

    async def run_worker(self, look: Callable[[K], Awaitable[Result]]) -> None:
        """Be one worker: look at one key after the other until cancelled."""
        while True:
            key = await self._turns.get()
            if not self._closed:
                await self._hold(key, look)

    async def shut_down(self, seconds: float) -> bool:
        """Hand out no more keys and wait for those held; tell whether all were given back."""
        self._closed = True
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _hold(self, key: K, look: Callable[[K], Awaitable[Result]]) -> None:
        self._wanted.pop(key, None)
        telemetry.QUEUE_DEPTH.set(len(self._wanted))
        self._held.add(key)
        self._idle.clear()
        try:
            self._settle(key, await look(key))
        except OperatorError as error:
            log.warning("The look failed and will be repeated: %s", error, extra={"key": str(key)})
            self._fail(key, error)
        except Exception as error:
            # A bug in one look must end neither the worker nor the other keys.
            log.exception("The look failed for an unforeseen reason", extra={"key": str(key)})
            self._fail(key, error)
        finally:
            self._held.discard(key)
            if key in self._wanted:
                self._turns.put_nowait(key)
            if not self._held:
                self._idle.set()

    def _settle(self, key: K, look: Result) -> None:
        due = [] if look.requeue_after is None else [look.requeue_after]
        if look.failed:
            self._failures[key] = self._failures.get(key, 0) + 1
            due.append(backoff(self._failures[key], self._chance()))
        else:
            self._failures.pop(key, None)
        if due:
            self.add_after(key, min(due))

    def _ring(self, key: K) -> None:
        del self._alarms[key]
        self.add(key)

    def _fail(self, key: K, error: Exception) -> None:
        telemetry.ERRORS.labels(type(error).__name__).inc()
        self._settle(key, Result(failed=True))
