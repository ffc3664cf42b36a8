"""The guarantees of the work queue."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from halimede.adapters.errors import TransientError
from halimede.adapters.store import Key
from halimede.plan.priority import Priority
from halimede.reconcile.queue import (
    LAST_RETRY_SECONDS,
    LAST_URGENT_RETRY_SECONDS,
    Result,
    WorkQueue,
)

WAIT = 5.0


def named(name: str) -> Key:
    """Return a key in a namespace that all keys here share."""
    return Key("ml", name)


def _queue(priorities: Mapping[Key, Priority] | None = None) -> WorkQueue:
    """Create an empty queue whose back-off has no jitter; keys serve unless said otherwise."""
    given = priorities or {}
    return WorkQueue(10, lambda key: given.get(key, Priority.SERVING), chance=lambda: 0.5)


def delays(queue: WorkQueue) -> dict[Key, float]:
    """Return in how many seconds keys will be added."""
    now = asyncio.get_running_loop().time()
    return {key: round(alarm.when() - now, 1) for key, alarm in queue._alarms.items()}


@asynccontextmanager
async def _worked(
    queue: WorkQueue, reconcile: Callable[[Key], Awaitable[Result]], workers: int = 1
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
    queue, seen = _queue(), Counter[Key]()

    async def reconcile(key: Key) -> Result:
        seen[key] += 1
        return Result()

    for key in (named("a"), named("a"), named("b"), named("a"), named("last")):
        queue.add(key)
    async with _worked(queue, reconcile):
        await _until(lambda: named("last") in seen)
    assert seen == {named("a"): 1, named("b"): 1, named("last"): 1}


async def test_a_key_has_one_worker() -> None:
    """Two workers reconcile two keys at the same time, but never the same key."""
    queue = _queue()
    held, most = Counter[Key](), Counter[Key]()
    together: list[int] = []

    async def reconcile(key: Key) -> Result:
        held[key] += 1
        most[key] = max(most[key], held[key])
        together.append(sum(held.values()))
        for _ in range(5):
            await asyncio.sleep(0)
            queue.add(key) if len(together) < 20 else None
        held[key] -= 1
        return Result()

    async with _worked(queue, reconcile, workers=4):
        queue.add(named("a"))
        queue.add(named("b"))
        await _until(lambda: len(together) >= 20 and not len(queue) and not sum(held.values()))
    assert most == {named("a"): 1, named("b"): 1}
    assert max(together) == 2


async def test_a_key_that_changes_during_its_reconcile_is_reconciled_again() -> None:
    """A key added during its reconcile is reconciled again after it."""
    queue, begun, go_on = _queue(), asyncio.Event(), asyncio.Event()
    reconciles = 0

    async def reconcile(_: Key) -> Result:
        nonlocal reconciles
        reconciles += 1
        begun.set()
        await go_on.wait()
        return Result()

    async with _worked(queue, reconcile):
        queue.add(named("a"))
        await begun.wait()
        queue.add(named("a"))
        assert reconciles == 1
        go_on.set()
        await _until(lambda: reconciles == 2)


async def test_a_failing_key_is_repeated_and_blocks_no_other() -> None:
    """An error in one reconcile neither ends the worker nor blocks other keys."""
    queue, seen = _queue(), list[Key]()

    async def reconcile(key: Key) -> Result:
        seen.append(key)
        if key == named("bad"):
            raise TransientError("not now")
        return Result()

    async with _worked(queue, reconcile):
        queue.add(named("bad"))
        queue.add(named("good"))
        await _until(lambda: len(seen) == 2)
        alarm = queue._alarms[named("bad")]
    delay = alarm.when() - asyncio.get_running_loop().time()
    assert seen == [named("bad"), named("good")]
    assert delay == pytest.approx(1.0, abs=0.2)
    assert named("good") not in queue._alarms


async def test_patience_grows_and_is_reset_by_success() -> None:
    """Each consecutive failure doubles the delay; a success resets it."""
    queue, waits, reconciles = _queue(), list[float](), 0

    async def reconcile(_: Key) -> Result:
        nonlocal reconciles
        reconciles += 1
        if reconciles in {1, 2, 3, 5}:
            raise RuntimeError("a bug")
        return Result()

    def skip_the_wait() -> bool:
        if not (alarm := queue._alarms.pop(named("a"), None)):
            return False
        waits.append(round(alarm.when() - asyncio.get_running_loop().time()))
        alarm.cancel()
        queue.add(named("a"))
        return True

    async with _worked(queue, reconcile):
        queue.add(named("a"))
        for _ in range(3):
            await _until(skip_the_wait)
        await _until(lambda: reconciles == 4)
        queue.add(named("a"))
        await _until(skip_the_wait)
    assert waits == [1, 2, 4, 1]


async def test_an_urgent_key_is_retried_soon_however_often_it_has_failed() -> None:
    """Given keys that have failed many times, the one with requests to take back comes first."""
    urgent, other = named("urgent"), named("other")
    queue = _queue({urgent: Priority.TRAFFIC})
    for key in (urgent, other):
        queue._failures[key] = 20

    async def reconcile(_: Key) -> Result:
        raise TransientError("not now")

    async with _worked(queue, reconcile):
        queue.add(urgent)
        queue.add(other)
        await _until(lambda: len(queue._alarms) == 2)
    assert delays(queue) == {urgent: LAST_URGENT_RETRY_SECONDS, other: LAST_RETRY_SECONDS}


async def test_the_delay_that_the_api_server_asks_for_is_kept() -> None:
    """Given a Retry-After, the key waits at least so long, also if it would be due earlier."""
    queue = _queue()

    async def reconcile(key: Key) -> Result:
        if key == named("raised"):
            raise TransientError("too many requests", retry_after=30.0)
        return Result(requeue_after=0.0, failed=True, retry_after=20.0)

    async with _worked(queue, reconcile):
        queue.add(named("raised"))
        queue.add(named("returned"))
        await _until(lambda: len(queue._alarms) == 2)
    assert delays(queue) == {named("raised"): 30.0, named("returned"): 20.0}


async def test_an_earlier_alarm_wins() -> None:
    """Of two requeue times for one key the earlier is kept."""
    queue, loop = _queue(), asyncio.get_running_loop()
    queue.add_after(named("a"), 60)
    queue.add_after(named("a"), 30)
    queue.add_after(named("a"), 90)
    assert queue._alarms[named("a")].when() - loop.time() == pytest.approx(30, abs=1)


async def test_a_reconcile_returns_when_the_next_is_due() -> None:
    """`requeue_after` adds the key again."""
    queue, reconciles = _queue(), 0

    async def reconcile(_: Key) -> Result:
        nonlocal reconciles
        reconciles += 1
        return Result(requeue_after=0.01 if reconciles < 3 else None)

    async with _worked(queue, reconcile):
        queue.add(named("a"))
        await _until(lambda: reconciles == 3)


async def test_a_failed_reconcile_waits_for_whatever_is_sooner() -> None:
    """A failed reconcile is repeated after the backoff or `requeue_after`, whichever is sooner."""
    queue = _queue()
    answers = {
        named("soon"): Result(requeue_after=0.2, failed=True),
        named("late"): Result(requeue_after=50, failed=True),
    }

    async def reconcile(key: Key) -> Result:
        return answers[key]

    async with _worked(queue, reconcile):
        queue.add(named("soon"))
        queue.add(named("late"))
        await _until(lambda: len(queue._alarms) == 2)
    assert delays(queue) == {named("soon"): 0.2, named("late"): 1.0}


async def test_shutting_down_waits_for_running_reconciles_and_starts_no_more() -> None:
    """After `shut_down` the current key is finished; waiting and later keys are not started."""
    queue, begun, go_on = _queue(), asyncio.Event(), asyncio.Event()
    ended: list[Key] = []

    async def reconcile(key: Key) -> Result:
        begun.set()
        await go_on.wait()
        ended.append(key)
        return Result(requeue_after=0)

    async with _worked(queue, reconcile):
        queue.add(named("held"))
        queue.add(named("waiting"))
        await begun.wait()
        closing = asyncio.create_task(queue.shut_down(WAIT))
        await asyncio.sleep(0)
        assert not closing.done()
        queue.add(named("late"))
        go_on.set()
        assert await closing is True
    assert ended == [named("held")]


async def test_shutting_down_gives_up_on_a_reconcile_that_does_not_end() -> None:
    """The wait is limited, and its result is returned."""
    queue, begun = _queue(), asyncio.Event()

    async def reconcile(_: Key) -> Result:
        begun.set()
        await asyncio.Event().wait()
        return Result()

    async with _worked(queue, reconcile):
        queue.add(named("stuck"))
        await begun.wait()
        assert await queue.shut_down(0.01) is False


async def test_the_queue_is_described_by_priority() -> None:
    """Depth and age are those of the keys of a priority; what is empty has none."""
    queue = _queue({named("a"): Priority.TRAFFIC})
    queue.add(named("a"))
    queue.resync(named("a"))
    queue.add(named("b"))
    queue.resync(named("c"))
    assert [queue.depth(priority) for priority in Priority] == [1, 0, 1, 1]
    assert queue.describe().splitlines()[0] == "traffic: 1 waiting, the oldest for 0 s"


async def test_keys_age_only_while_there_are_workers() -> None:
    """Given no workers, as in a replica that does not lead, waiting keys do not age."""
    queue = _queue()

    async def reconcile(_: Key) -> Result:
        await asyncio.Event().wait()
        return Result()

    for number in range(20):
        queue.add(named(f"m{number}"))
    await asyncio.sleep(0.01)
    assert (queue.oldest_seconds(Priority.SERVING), queue.stalled_seconds()) == (0.0, 0.0)
    async with _worked(queue, reconcile):
        await _until(lambda: queue.oldest_seconds(Priority.SERVING) > 0.001)
        assert queue.oldest_seconds(Priority.ROLLOUT) == 0.0
    assert queue.oldest_seconds(Priority.SERVING) == 0.0


async def test_a_queue_stalls_if_no_reconcile_ends() -> None:
    """A queue that is long has not stalled as long as reconciles end."""
    queue, go_on = _queue(), asyncio.Event()
    assert queue.stalled_seconds() == 0.0

    async def reconcile(_: Key) -> Result:
        await go_on.wait()
        return Result()

    for name in ("a", "b", "c"):
        queue.add(named(name))
    async with _worked(queue, reconcile):
        await _until(lambda: queue.stalled_seconds() > 0.05)
        go_on.set()
        await _until(lambda: not len(queue))
    assert queue.stalled_seconds() == 0.0


async def test_an_urgent_key_overtakes_those_that_wait() -> None:
    """Given many keys that wait, one of a higher priority that is added last comes first."""
    queue, seen = _queue({named("bad"): Priority.TRAFFIC}), list[Key]()

    async def reconcile(key: Key) -> Result:
        seen.append(key)
        return Result()

    for number in range(100):
        queue.add(named(f"new-{number}"))
    queue.add(named("bad"))
    async with _worked(queue, reconcile):
        await _until(lambda: len(seen) == 101)
    assert seen[0] == named("bad")


async def test_a_long_queue_does_not_hold_the_event_loop() -> None:
    """Given reconciles that wait for nothing, other tasks run between them."""
    queue, seen, turns = _queue(), list[Key](), list[int]()

    async def reconcile(key: Key) -> Result:
        seen.append(key)
        return Result()

    for number in range(50):
        queue.add(named(f"m{number}"))
    async with _worked(queue, reconcile):
        while len(seen) < 50:
            turns.append(len(seen))
            await asyncio.sleep(0)
    assert len(set(turns)) > 40


async def test_a_key_that_returns_at_once_is_not_lost() -> None:
    """Given a key that is added during its reconcile while others are urgent, it still runs."""
    urgent = [Key(f"team-{number}", "m") for number in range(30)]
    queue = _queue(dict.fromkeys(urgent, Priority.TRAFFIC))
    seen = Counter[Key]()

    async def reconcile(key: Key) -> Result:
        seen[key] += 1
        if seen[key] == 1:
            queue.add(key)
        await asyncio.sleep(0)
        return Result()

    for key in (*urgent, *map(named, "abcdefghijkl")):
        queue.add(key)
    async with _worked(queue, reconcile, workers=10):
        await _until(lambda: sum(seen.values()) == 2 * 42)
    assert set(seen.values()) == {2}
