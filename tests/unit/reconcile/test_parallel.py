"""The requests of one reconcile that are sent at the same time."""

import asyncio

from halimede.reconcile.parallel import REQUESTS, connections, request_each

WORKERS = 10


async def test_results_have_the_order_of_the_items() -> None:
    """Given requests that end in another order, the results are in the order of the items."""

    async def request(number: int) -> int:
        for _ in range(10 - number):
            await asyncio.sleep(0)
        return number

    assert await request_each(request, range(10)) == list(range(10))


async def test_workers_whose_requests_are_not_answered_leave_connections_for_the_others() -> None:
    """Given all workers but one with very many silent requests, the last one has its own."""
    held, most = 0, 0
    all_held, silent = asyncio.Event(), asyncio.Event()

    async def request(_: int) -> None:
        nonlocal held, most
        held += 1
        most = max(most, held)
        if held == (WORKERS - 1) * REQUESTS:
            all_held.set()
        await silent.wait()

    stuck = [asyncio.create_task(request_each(request, range(100))) for _ in range(WORKERS - 1)]
    await all_held.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert most == (WORKERS - 1) * REQUESTS
    assert connections(WORKERS) - most >= REQUESTS
    for task in stuck:
        task.cancel()
    await asyncio.wait(stuck)
