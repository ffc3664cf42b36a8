"""The request to stop a pod, for which all its parts wait."""

import asyncio
from collections.abc import Awaitable


class StopRequest:
    """No request yet, a request to stop within a grace period, or to stop at once."""

    def __init__(self) -> None:
        """Start without a request."""
        self.grace = 0.0
        """The grace period of the containers in seconds, once the stop is requested."""
        self._asked = asyncio.Event()
        self._at_once = asyncio.Event()

    def ask(self, grace: float) -> None:
        """Request the stop; of a second request, only a `grace` of 0 has an effect."""
        if not self._asked.is_set():
            self.grace = grace
            self._asked.set()
        if grace <= 0:
            self._at_once.set()

    @property
    def asked(self) -> bool:
        """Whether the stop is requested."""
        return self._asked.is_set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for the request, at most `seconds`; return whether the stop is requested."""
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        return True

    async def wait_at_once(self) -> None:
        """Wait for the request to stop at once."""
        await self._at_once.wait()


async def first_of(*waited: Awaitable[object], seconds: float | None = None) -> None:
    """Wait until the first is done, at most `seconds`; cancel those that were no tasks yet."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in waited]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, original in zip(tasks, waited, strict=True):
            if task is not original:
                task.cancel()
