"""When polls are read together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from halimede.adapters.poll_answers import Readings
from halimede.adapters.store import Key
from halimede.api.analysis import MetricsProvider
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.queries import plan_queries
from halimede.judge.reading import MetricsQueries, Reading, Unavailable
from halimede.reconcile.fair_slots import FairSlots
from halimede.reconcile.shared_polls import FEW, MOST, Group, SharedPolls
from tests.support.series import request
from tests.support.waiting import WITHIN, wait_until_async

GROUP = Group("ml", MetricsProvider.CONTOUR, history=False)
INTERVAL = 1e-6
"""So short that the spacing is over at once."""
FOREVER = 3600.0


@dataclass
class Reader:
    """A reader that answers when it is released."""

    release: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[list[str]] = field(default_factory=list)
    """The names of the ModelDeployments in each batch."""
    failure: UnavailableReason | None = None
    together: bool = True
    error: Exception | None = None

    async def read(self, queries: MetricsQueries) -> Reading:
        """Raise, because shared polls are read together."""
        raise NotImplementedError

    async def read_together(self, polls: Sequence[MetricsQueries]) -> Readings:
        """Answer all polls alike."""
        self.batches.append([queries.request.name for queries in polls])
        await self.release.wait()
        if self.error:
            raise self.error
        answers = {Source.ROUTER: Unavailable(self.failure, "no")} if self.failure else {}
        return Readings(
            tuple(Reading(queries.request, answers) for queries in polls), self.together
        )

    def close(self) -> None:
        """Do nothing."""


@dataclass
class World:
    """Shared polls, and their readings by name."""

    reader: Reader = field(default_factory=Reader)
    slots: FairSlots = field(default_factory=lambda: FairSlots(2, 1))
    broken: set[str] = field(default_factory=set)
    """Names whose polls cannot be planned."""
    tasks: dict[str, "asyncio.Task[Reading | None]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Connect them."""
        self.polls = SharedPolls(self.reader, self.slots, lambda: 1000.0)

    def add(self, *names: str, group: Group = GROUP, interval: float = INTERVAL) -> None:
        """Begin a poll for each name."""
        for name in names:

            def plan(now: float, name: str = name) -> MetricsQueries:
                if name in self.broken:
                    raise KeyError(name)
                return plan_queries(replace(request(now), name=name))

            key = Key(group.namespace, name)
            poll = self.polls.read(group, key, plan, interval, FOREVER)
            self.tasks[name] = asyncio.create_task(poll)

    async def begun(self, number: int) -> list[list[str]]:
        """Wait until so many batches have begun, and return them."""

        async def seen() -> int:
            return len(self.reader.batches)

        await wait_until_async(seen, lambda batches: batches >= number)
        return self.reader.batches

    async def read(self, *names: str, interval: float = INTERVAL) -> None:
        """Poll at once, and wait for the answers."""
        self.add(*names, interval=interval)
        await asyncio.gather(*(self.tasks[name] for name in names))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Return shared polls."""
    created = World()
    yield created
    created.polls.close()


async def test_polls_that_come_while_others_are_read_are_read_together(world: World) -> None:
    """The first is read at once, and all others in one batch after it."""
    world.add("a")
    await world.begun(1)
    world.add("b", "c", "d")
    world.reader.release.set()
    assert await world.begun(2) == [["a"], ["b", "c", "d"]]
    for name, task in world.tasks.items():
        reading = await task
        assert reading is not None
        assert reading.request.name == name


@pytest.fixture
def spaced(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return shared polls whose spacing never ends with long intervals."""
    monkeypatch.setattr("halimede.reconcile.shared_polls.SPACING_SECONDS", FOREVER)
    return world


async def test_a_single_modeldeployment_waits_for_nothing(spaced: World) -> None:
    """Its polls need no spacing, however often it polls."""
    spaced.reader.release.set()
    for _ in range(5):
        spaced.add("a", interval=3 * FOREVER)
        async with asyncio.timeout(WITHIN):
            await spaced.tasks["a"]
    assert spaced.reader.batches == [["a"]] * 5


async def test_a_second_modeldeployment_waits_for_the_spacing(spaced: World) -> None:
    """Those that come within it are read together, those of other groups at once."""
    spaced.reader.release.set()
    await spaced.read("a", interval=3 * FOREVER)
    spaced.add("b", interval=3 * FOREVER)
    spaced.add("other", group=replace_namespace("other"), interval=3 * FOREVER)
    spaced.add("past", group=GROUP._replace(history=True), interval=3 * FOREVER)
    await asyncio.gather(spaced.tasks["other"], spaced.tasks["past"])
    assert not spaced.tasks["b"].done()
    spaced.add("a", "c", interval=INTERVAL)  # the shortest interval decides
    await asyncio.gather(*(spaced.tasks[name] for name in "abc"))
    assert spaced.reader.batches[-1] == ["b", "a", "c"]


async def test_a_batch_has_a_limit(world: World) -> None:
    """What is left is the next batch."""
    names = [f"m{number}" for number in range(MOST + 10)]
    world.add(*names)
    world.reader.release.set()
    await asyncio.gather(*world.tasks.values())
    assert [len(batch) for batch in world.reader.batches] == [MOST, 10]


async def test_batches_become_smaller_while_shared_queries_fail(world: World) -> None:
    """They become half, down to one, and grow again by one each time."""
    world.reader.release.set()
    world.reader.together = False
    names = [f"m{number}" for number in range(8)]
    await world.read(*names)
    await world.read(*names)
    assert [len(batch) for batch in world.reader.batches] == [8, 4, 2, 1, 1]
    del world.reader.batches[:]
    world.reader.together = True
    await world.read(*names)
    assert [len(batch) for batch in world.reader.batches] == [1, 2, 3, 2]


async def test_an_outage_leaves_batches_of_a_few(world: World) -> None:
    """One poll after the other would wait for many time-outs."""
    world.reader.release.set()
    world.reader.together, world.reader.failure = False, UnavailableReason.UNREACHABLE
    names = [f"m{number}" for number in range(3 * FEW)]
    await world.read(*names)
    await world.read(*names)
    assert [len(batch) for batch in world.reader.batches] == [24, 12, 8, 4]


async def test_a_namespace_waits_only_for_its_own_batch(world: World) -> None:
    """While one namespace has its slot, the batch of another one begins."""
    world.add("a")
    await world.begun(1)
    world.add("b", "c")
    world.add("other", group=replace_namespace("other"))
    assert await world.begun(2) == [["a"], ["other"]]
    world.reader.release.set()
    assert (await world.begun(3))[2] == ["b", "c"]


async def test_an_error_of_ours_in_one_poll_does_not_fail_the_others(world: World) -> None:
    """Only its own reconcile raises it."""
    world.reader.release.set()
    world.broken.add("b")
    world.add("a", "b", "c")
    with pytest.raises(KeyError, match="b"):
        await world.tasks["b"]
    assert await world.tasks["a"] is not None
    assert world.reader.batches == [["a", "c"]]


async def test_an_error_of_the_reader_is_raised_by_all(world: World) -> None:
    """The next batch is read as usual."""
    world.reader.release.set()
    world.reader.error = ValueError("a programming error")
    world.add("a", "b")
    for name in ("a", "b"):
        with pytest.raises(ValueError, match="a programming error"):
            await world.tasks[name]
    world.reader.error = None
    await world.read("a", "b")


def replace_namespace(namespace: str) -> Group:
    """Return the group of another namespace."""
    return GROUP._replace(namespace=namespace)
