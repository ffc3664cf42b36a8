"""A limited number of slots, of which no namespace can take all.

Namespaces with waiting polls get free slots in turn. So a namespace waits only for slots, never
for the other polls of another namespace.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairSlots:
    """Slots for tasks that belong to namespaces."""

    def __init__(self, total: int, per_namespace: int) -> None:
        """Create *total* free slots; a namespace may have *per_namespace* of them."""
        self._free = total
        self._per_namespace = per_namespace
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """By namespace, in the order in which they get their next slots."""

    @asynccontextmanager
    async def take(self, namespace: str, seconds: float | None) -> AsyncIterator[None]:
        """Take a slot for the time of the context.

        Raises:
            TimeoutError: There was none within *seconds*; with None it waits without a limit.
        """
        slot = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, deque()).append(slot)
        self._grant()
        try:
            async with asyncio.timeout(seconds):
                await slot
        except BaseException:
            self._withdraw(namespace, slot)
            raise
        try:
            yield
        finally:
            self._release(namespace)

    def _grant(self) -> None:
        """Give free slots to those that wait, one namespace after the other."""
        while self._free and (namespace := self._find_next()) is not None:
            waiting = self._waiting.pop(namespace)
            slot = waiting.popleft()
            if waiting:
                self._waiting[namespace] = waiting  # at the end: the others come first
            if not slot.done():  # its task is not being cancelled
                slot.set_result(None)
                self._taken[namespace] += 1
                self._free -= 1

    def _find_next(self) -> str | None:
        return next(
            (name for name in self._waiting if self._taken[name] < self._per_namespace), None
        )

    def _withdraw(self, namespace: str, slot: "asyncio.Future[None]") -> None:
        if slot.done() and not slot.cancelled():  # granted in the same moment
            self._release(namespace)
            return
        waiting = self._waiting.get(namespace, deque())
        if slot in waiting:
            waiting.remove(slot)
            if not waiting:
                del self._waiting[namespace]

    def _release(self, namespace: str) -> None:
        self._taken[namespace] -= 1
        if not self._taken[namespace]:
            del self._taken[namespace]
        self._free += 1
        self._grant()
