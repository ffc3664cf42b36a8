"""How many requests one reconcile sends at the same time.

The client has connections for all workers, so none of them waits until the requests of another
one are answered. Only the schedule decides which objects are processed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

REQUESTS = 4
"""Number of requests of one reconcile at the same time."""

Item = TypeVar("Item")
Value = TypeVar("Value")


def connections(workers: int) -> int:
    """Return how many connections a number of workers needs, with one for the resync."""
    return workers * REQUESTS + 1


async def request_each(
    request: Callable[[Item], Awaitable[Value]], items: Iterable[Item]
) -> list[Value]:
    """Call *request* with each item, some at the same time; return the results in their order."""
    free = asyncio.Semaphore(REQUESTS)

    async def call(item: Item) -> Value:
        async with free:
            return await request(item)

    return await asyncio.gather(*map(call, items))
