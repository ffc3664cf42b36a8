"""Slots that are shared by namespaces."""

import asyncio

import pytest

from halimede.reconcile.fair_slots import FairSlots

FOREVER = 3600.0


class Crowd:
    """Tasks that take a slot until they are released, and the order in which they got it."""

    def __init__(self, slots: FairSlots) -> None:
        """Start without tasks."""
        self.slots = slots
        self.order: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def add(self, *names: str) -> None:
        """Start tasks; the first letter of a name is its namespace."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._run(name))
        await self.settle()

    async def end(self, name: str) -> None:
        """Let a task release its slot."""
        self.ends[name].set()
        await self.tasks[name]
        await self.settle()

    async def cancel(self, name: str) -> None:
        """Cancel a task."""
        self.tasks[name].cancel()
        await asyncio.wait([self.tasks[name]])
        await self.settle()

    async def settle(self) -> None:
        """Let all tasks run until they wait."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def _run(self, name: str) -> None:
        async with self.slots.take(name[0], FOREVER):
            self.order.append(name)
            await self.ends[name].wait()


async def test_a_namespace_takes_no_more_than_its_share() -> None:
    """Two slots of four remain for others, who get them at once."""
    crowd = Crowd(FairSlots(4, 2))
    await crowd.add("a1", "a2", "a3", "a4")
    assert crowd.order == ["a1", "a2"]
    await crowd.add("b1")
    assert crowd.order == ["a1", "a2", "b1"]
    await crowd.end("a1")
    assert crowd.order == ["a1", "a2", "b1", "a3"]


async def test_namespaces_get_free_slots_in_turn() -> None:
    """A namespace that comes late waits for one turn, not for all that came before it."""
    crowd = Crowd(FairSlots(1, 1))
    await crowd.add("a1", "a2", "a3", "b1", "b2", "c1")
    for name in ("a1", "a2", "b1", "c1", "a3"):
        await crowd.end(name)
    assert crowd.order == ["a1", "a2", "b1", "c1", "a3", "b2"]


async def test_a_task_that_is_cancelled_gives_its_slot_or_place_back() -> None:
    """Cancelled tasks lose no slot, whether they wait or have one."""
    crowd = Crowd(FairSlots(2, 2))
    await crowd.add("a1", "a2", "a3", "a4")
    await crowd.cancel("a3")
    await crowd.cancel("a1")
    assert crowd.order == ["a1", "a2", "a4"]
    for task in crowd.tasks.values():
        task.cancel()  # all in the same moment
    await asyncio.wait(crowd.tasks.values())
    await crowd.add("b1", "b2")
    assert crowd.order[-2:] == ["b1", "b2"]


async def test_a_slot_granted_in_the_moment_of_the_cancellation_is_given_back() -> None:
    """The task never ran with it."""
    crowd, leave = Crowd(FairSlots(1, 1)), asyncio.Event()

    async def pass_on() -> None:
        async with crowd.slots.take("a", FOREVER):
            await leave.wait()
        crowd.tasks["a2"].cancel()  # has the slot, but has not run since

    passing = asyncio.create_task(pass_on())
    await crowd.settle()
    await crowd.add("a2")
    leave.set()
    await passing
    await crowd.add("b1")
    assert crowd.order == ["b1"]


async def test_waiting_ends_by_time() -> None:
    """A task that gives up leaves the queue."""
    slots = FairSlots(1, 1)
    async with slots.take("a", FOREVER):
        with pytest.raises(TimeoutError):
            async with slots.take("b", 0.0):
                raise AssertionError("there was no slot")
    async with slots.take("b", FOREVER):
        pass
