"""Keys that return again and again, because another client undoes or repeats its writes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from halimede.adapters.store import Key
from halimede.plan.priority import Priority
from halimede.reconcile.queue import URGENT_WAIT_SECONDS, Result, WorkQueue
from halimede.reconcile.rate_limit import BURST, MAX_WAIT

KEY = Key("ml", "fought")
OTHER = Key("ml", "other")
CONFLICT = Result(requeue_after=0.0, contested=True, writes=1)
"""The result after another client has changed the object."""
WITHIN = 5.0


@asynccontextmanager
async def worked(
    priority: Priority, reconcile: Callable[[Key], Awaitable[Result]]
) -> AsyncIterator[WorkQueue]:
    """Run a worker of a queue in which all keys have a priority."""
    queue = WorkQueue(10, lambda _: priority, chance=lambda: 0.5)
    worker = asyncio.create_task(queue.run_worker(reconcile))
    try:
        yield queue
    finally:
        worker.cancel()
        await asyncio.wait([worker])


def wait_of(queue: WorkQueue) -> float:
    """Return in how many seconds the key will be added; 0 if no timer is set for it."""
    alarm = queue._alarms.get(KEY)
    return 0.0 if alarm is None else alarm.when() - asyncio.get_running_loop().time()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(WITHIN):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("priority", "longest"),
    [(Priority.SERVING, MAX_WAIT), (Priority.TRAFFIC, URGENT_WAIT_SECONDS)],
)
async def test_conflicts_do_not_follow_each_other_at_full_speed(
    priority: Priority, longest: float
) -> None:
    """Given a conflict in each reconcile, the first retries are immediate, and later ones wait.

    The wait is short if requests may have to be taken back.
    """
    reconciles = 0

    async def conflict(_: Key) -> Result:
        nonlocal reconciles
        reconciles += 1
        return CONFLICT

    async with worked(priority, conflict) as queue:
        queue.add(KEY)
        await until(lambda: wait_of(queue) > URGENT_WAIT_SECONDS / 2)
        assert reconciles > 1 + BURST / (2 * (1 + CONFLICT.writes))
        assert wait_of(queue) <= longest


@pytest.mark.parametrize("result", [Result(), Result(writes=1)], ids=["reads", "writes"])
async def test_an_object_that_is_changed_without_end_waits(result: Result) -> None:
    """Given another client that answers each reconcile with a change, the key has to wait."""

    async def fight(key: Key) -> Result:
        queue.add_changed(key)
        return result

    async with worked(Priority.SERVING, fight) as queue:
        queue.add(KEY)
        await until(lambda: bool(queue._alarms))
        assert 0 < wait_of(queue) <= MAX_WAIT
        assert not len(queue)


async def test_errors_that_alternate_wait() -> None:
    """Given a reconcile that always asks for the next one soon, it has to wait as well."""

    async def fail(_: Key) -> Result:
        return Result(requeue_after=0.0, failed=True, writes=int(BURST))

    async with worked(Priority.BACKGROUND, fail) as queue:
        queue.add(KEY)
        await until(lambda: wait_of(queue) > 0)


async def test_a_key_that_waits_delays_no_other() -> None:
    """Given a key that waits, another one is reconciled at once."""
    seen: list[Key] = []

    async def reconcile(key: Key) -> Result:
        seen.append(key)
        return CONFLICT if key == KEY else Result()

    async with worked(Priority.SERVING, reconcile) as queue:
        queue.add(KEY)
        await until(lambda: wait_of(queue) > 0)
        queue.add_changed(OTHER)
        await until(lambda: seen[-1] == OTHER)


async def test_taking_requests_back_waits_for_no_limit() -> None:
    """Given a judged object that is fought over, lost endpoints and answers count at once.

    A change that takes no requests back waits.
    """
    reconciles = 0

    async def reconcile(_: Key) -> Result:
        nonlocal reconciles
        reconciles += 1
        return Result(writes=int(BURST))

    async with worked(Priority.TRAFFIC, reconcile) as queue:
        for _ in range(2):
            queue.add_changed(KEY, urgent=True)
            await until(lambda: not len(queue) and queue._schedule.is_idle)
        assert reconciles == 2
        queue.add_changed(KEY)
        assert URGENT_WAIT_SECONDS < wait_of(queue) <= MAX_WAIT
        queue.add_changed(KEY, 0.05, urgent=True)
        assert wait_of(queue) <= 0.05
        queue.add(KEY)
        await until(lambda: reconciles == 3)


async def test_times_and_polls_of_our_own_cost_nothing() -> None:
    """Given very many reconciles for answers and at requested times, a change is seen at once."""
    reconciles = 0

    async def reconcile(_: Key) -> Result:
        nonlocal reconciles
        reconciles += 1
        return Result(requeue_after=0.0 if reconciles < 2 * BURST else None, writes=1)

    async with worked(Priority.SERVING, reconcile) as queue:
        queue.add(KEY)
        await until(lambda: reconciles >= 2 * BURST)
        queue.add_changed(KEY)
        assert wait_of(queue) == 0.0
        await until(lambda: reconciles > 2 * BURST)


async def test_only_a_judged_object_is_urgent() -> None:
    """Given an object without requests to take back, changes of its pods wait as well."""

    async def reconcile(_: Key) -> Result:
        return Result(writes=2 * int(BURST))

    async with worked(Priority.ROLLOUT, reconcile) as queue:
        queue.add_changed(KEY)
        await until(lambda: not len(queue) and queue._schedule.is_idle)
        queue.add_changed(KEY, 0.1, urgent=True)
        assert wait_of(queue) > 1.0
