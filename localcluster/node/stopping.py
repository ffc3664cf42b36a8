"""The request that a pod end, as all its parts wait for it."""

import asyncio
from collections.abc import Awaitable


class StopRequest:
    """Not asked yet, asked to end within a time of grace, or to end at once."""

    def __init__(self) -> None:
        """Start with nothing asked."""
        self.grace = 0.0
        """Seconds that containers have to end, once it is asked."""
        self._asked = asyncio.Event()
        self._at_once = asyncio.Event()

    def ask(self, grace: float) -> None:
        """Ask to end; asked again, only an end at once changes anything."""
        if not self._asked.is_set():
            self.grace = grace
            self._asked.set()
        if grace <= 0:
            self._at_once.set()

    @property
    def asked(self) -> bool:
        """Whether the pod is to end."""
        return self._asked.is_set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is asked, at most for a time; return whether it is."""
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        return True

    async def wait_at_once(self) -> None:
        """Wait until the end is wanted at once."""
        await self._at_once.wait()


async def first_of(*waited: Awaitable[object], seconds: float | None = None) -> None:
    """Wait until the first is done, at most for a time; what was not a task yet is cancelled."""
    tasks = [asyncio.ensure_future(one) for one in waited]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, given in zip(tasks, waited, strict=True):
            if task is not given:
                task.cancel()
