"""Gives some writes precedence over others while the API server rejects requests.

A rejected write is sent again after a delay. Without precedence, other writes could use up the
API server's capacity in the meantime, and the write would be rejected again.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

HELD_SECONDS = 10.0
"""The longest time that another write waits before it is sent. A write with precedence may be
rejected for another reason, for example by an admission webhook, and must not stop the others."""


class Precedence:
    """Makes other writes wait while one with precedence is about to be sent again."""

    def __init__(self) -> None:
        """Start without a write that others wait for."""
        self._holds = 0
        self._free = asyncio.Event()
        self._free.set()

    @contextmanager
    def hold_others(self) -> Iterator[None]:
        """Make other writes wait during the context."""
        self._holds += 1
        self._free.clear()
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._free.set()

    async def wait(self) -> None:
        """Return when no write with precedence is to be sent again, or after `HELD_SECONDS`."""
        try:
            async with asyncio.timeout(HELD_SECONDS):
                await self._free.wait()
        except TimeoutError:
            return
