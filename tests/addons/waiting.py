"""Wait for what another process does, never for a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")

PATIENCE = 30
"""Seconds until what does not come counts as missing."""


async def seen(look: Callable[[], Awaitable[Seen]], accept: Callable[[Seen], bool]) -> Seen:
    """Look again and again, and return the first sight that is accepted."""
    async with asyncio.timeout(PATIENCE):
        while True:
            sight = await look()
            if accept(sight):
                return sight
            await asyncio.sleep(0.1)
