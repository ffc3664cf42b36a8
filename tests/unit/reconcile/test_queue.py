"""The guarantees of the work queue."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from halimede.adapters.errors import TransientError
from halimede.reconcile.queue import Result, WorkQueue

WAIT = 5.0


@asynccontextmanager
async def _worked(
    queue: WorkQueue[str], reconcile: Callable[[str], Awaitable[Result]], workers: int = 1
) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(queue.run_worker(reconcile)) for _ in range(workers)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def test_a_key_waits_once() -> None:
    """A waiting key that is added several times is reconciled once."""
    queue, seen = WorkQueue[str](), Counter[str]()

    async def reconcile(key: str) -> Result:
        seen[key] += 1
        return Result()

    for key in ("a", "a", "b", "a", "last"):
        queue.add(key)
    async with _worked(queue, reconcile):
        await _until(lambda: "last" in seen)
    assert seen == {"a": 1, "b": 1, "last": 1}


async def test_a_key_has_one_worker() -> None:
    """Two workers reconcile two keys at the same time, but never the same key."""
    queue = WorkQueue[str]()
    held, most = Counter[str](), Counter[str]()
    together: list[int] = []

    async def reconcile(key: str) -> Result:
        held[key] += 1
        most[key] = max(most[key], held[key])
        together.append(sum(held.values()))
        for _ in range(5):
            await asyncio.sleep(0)
            queue.add(key) if len(together) < 20 else None
        held[key] -= 1
        return Result()

    async with _worked(queue, reconcile, workers=4):
        queue.add("a")
        queue.add("b")
        await _until(lambda: len(together) >= 20 and not len(queue) and not sum(held.values()))
    assert most == {"a": 1, "b": 1}
    assert max(together) == 2


async def test_a_key_that_changes_during_its_reconcile_is_reconciled_again() -> None:
    """A key added during its reconcile is reconciled again after it."""
    queue, begun, go_on = WorkQueue[str](), asyncio.Event(), asyncio.Event()
    reconciles = 0

    async def reconcile(_: str) -> Result:
        nonlocal reconciles
        reconciles += 1
        begun.set()
        await go_on.wait()
        return Result()

    async with _worked(queue, reconcile):
        queue.add("a")
        await begun.wait()
        queue.add("a")
        assert reconciles == 1
        go_on.set()
        await _until(lambda: reconciles == 2)


async def test_a_failing_key_is_repeated_and_blocks_no_other() -> None:
    """An error in one reconcile neither ends the worker nor blocks other keys."""
    queue, seen = WorkQueue[str](chance=lambda: 0.5), list[str]()

    async def reconcile(key: str) -> Result:
        seen.append(key)
        if key == "bad":
            raise TransientError("not now")
        return Result()

    async with _worked(queue, reconcile):
        queue.add("bad")
        queue.add("good")
        await _until(lambda: len(seen) == 2)
        alarm = queue._alarms["bad"]
    delay = alarm.when() - asyncio.get_running_loop().time()
    assert seen == ["bad", "good"]
    assert delay == pytest.approx(1.0, abs=0.2)
    assert "good" not in queue._alarms


async def test_patience_grows_and_is_reset_by_success() -> None:
    """Each consecutive failure doubles the delay; a success resets it."""
    queue, waits, reconciles = WorkQueue[str](chance=lambda: 0.5), list[float](), 0

    async def reconcile(_: str) -> Result:
        nonlocal reconciles
        reconciles += 1
        if reconciles in {1, 2, 3, 5}:
            raise RuntimeError("a bug")
        return Result()

    def skip_the_wait() -> bool:
        if not (alarm := queue._alarms.pop("a", None)):
            return False
        waits.append(round(alarm.when() - asyncio.get_running_loop().time()))
        alarm.cancel()
        queue.add("a")
        return True

    async with _worked(queue, reconcile):
        queue.add("a")
        for _ in range(3):
            await _until(skip_the_wait)
        await _until(lambda: reconciles == 4)
        queue.add("a")
        await _until(skip_the_wait)
    assert waits == [1, 2, 4, 1]


async def test_an_earlier_alarm_wins() -> None:
    """Of two requeue times for one key the earlier is kept."""
    queue, loop = WorkQueue[str](), asyncio.get_running_loop()
    queue.add_after("a", 60)
    queue.add_after("a", 30)
    queue.add_after("a", 90)
    assert queue._alarms["a"].when() - loop.time() == pytest.approx(30, abs=1)


async def test_a_reconcile_returns_when_the_next_is_due() -> None:
    """`requeue_after` adds the key again."""
    queue, reconciles = WorkQueue[str](), 0

    async def reconcile(_: str) -> Result:
        nonlocal reconciles
        reconciles += 1
        return Result(requeue_after=0.01 if reconciles < 3 else None)

    async with _worked(queue, reconcile):
        queue.add("a")
        await _until(lambda: reconciles == 3)


async def test_a_failed_reconcile_waits_for_whatever_is_sooner() -> None:
    """A failed reconcile is repeated after the backoff or `requeue_after`, whichever is sooner."""
    queue, loop = WorkQueue[str](chance=lambda: 0.5), asyncio.get_running_loop()
    answers = {
        "soon": Result(requeue_after=0.2, failed=True),
        "late": Result(requeue_after=50, failed=True),
    }

    async def reconcile(key: str) -> Result:
        return answers[key]

    async with _worked(queue, reconcile):
        queue.add("soon")
        queue.add("late")
        await _until(lambda: len(queue._alarms) == 2)
    delays = {key: round(alarm.when() - loop.time(), 1) for key, alarm in queue._alarms.items()}
    assert delays == {"soon": 0.2, "late": 1.0}


async def test_shutting_down_waits_for_running_reconciles_and_starts_no_more() -> None:
    """After `shut_down` the current key is finished; waiting and later keys are not started."""
    queue, begun, go_on = WorkQueue[str](), asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def reconcile(key: str) -> Result:
        begun.set()
        await go_on.wait()
        ended.append(key)
        return Result(requeue_after=0)

    async with _worked(queue, reconcile):
        queue.add("held")
        queue.add("waiting")
        await begun.wait()
        closing = asyncio.create_task(queue.shut_down(WAIT))
        await asyncio.sleep(0)
        assert not closing.done()
        queue.add("late")
        go_on.set()
        assert await closing is True
    assert ended == ["held"]


async def test_shutting_down_gives_up_on_a_reconcile_that_does_not_end() -> None:
    """The wait is limited, and its result is returned."""
    queue, begun = WorkQueue[str](), asyncio.Event()

    async def reconcile(_: str) -> Result:
        begun.set()
        await asyncio.Event().wait()
        return Result()

    async with _worked(queue, reconcile):
        queue.add("stuck")
        await begun.wait()
        assert await queue.shut_down(0.01) is False


async def test_the_oldest_wait_is_reported() -> None:
    """`oldest_seconds` is 0 for an empty queue and grows while a key waits."""
    queue = WorkQueue[str]()
    assert queue.oldest_seconds() == 0.0
    queue.add("a")
    await _until(lambda: queue.oldest_seconds() > 0.001)
