"""The precedence of some writes beside an API server that rejects what is too much for it.

A rejected write is sent again after a delay. Other writes would take its place in the meantime,
and it would be rejected again.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

HELD_SECONDS = 10.0
"""The longest wait of another write: what is rejected for another reason, for example by an
admission webhook, does not stop everything else."""


class Precedence:
    """Lets other writes wait while one with precedence is about to be sent again."""

    def __init__(self) -> None:
        """Let every write be sent."""
        self._rejected = 0
        self._free = asyncio.Event()
        self._free.set()

    @contextmanager
    def hold_others(self) -> Iterator[None]:
        """Let other writes wait during the context."""
        self._rejected += 1
        self._free.clear()
        try:
            yield
        finally:
            self._rejected -= 1
            if not self._rejected:
                self._free.set()

    async def wait(self) -> None:
        """Return when no other write is about to be sent again, or after `HELD_SECONDS`."""
        try:
            async with asyncio.timeout(HELD_SECONDS):
                await self._free.wait()
        except TimeoutError:
            return
