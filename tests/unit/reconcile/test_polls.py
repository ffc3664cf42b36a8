"""Polls beside the reconciles."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from halimede.adapters.poll_answers import Readings
from halimede.adapters.store import Key
from halimede.api.analysis import MetricsProvider
from halimede.api.sources import Source
from halimede.api.status import Outcome, State, Status
from halimede.judge.queries import plan_queries
from halimede.judge.reading import MetricsQueries, Reading, Unavailable
from halimede.plan.metrics_request import PollBasis
from halimede.reconcile.polls import CUSTOM_PER_NAMESPACE, Polls
from harness.slow_prometheus import SlowServer, serve
from harness.tenants import VICTIM, bodies, doomed_cluster, shared_operator
from tests.support.series import request
from tests.support.waiting import wait_until_async

KEY = Key("ml", "digits")
BASIS = PollBasis(
    uid="uid",
    generation=1,
    custom=False,
    provider=MetricsProvider.CONTOUR,
    history=False,
    interval=0.0,
    rollout="r-1",
    state=State.ANALYSING,
    step=0,
    step_started_at=900.0,
    weight=20,
    polled_at=None,
)


@dataclass
class Reader:
    """A reader that answers when it is released."""

    release: asyncio.Event = field(default_factory=asyncio.Event)
    begun: list[Sequence[MetricsQueries]] = field(default_factory=list)
    error: Exception | None = None
    closed: bool = False

    async def read(self, queries: MetricsQueries) -> Reading:
        """Answer nothing, or fail."""
        return (await self.read_together((queries,))).readings[0]

    async def read_together(self, polls: Sequence[MetricsQueries]) -> Readings:
        """Answer nothing to several polls, or fail."""
        self.begun.append(polls)
        await self.release.wait()
        if self.error:
            raise self.error
        return Readings(tuple(Reading(queries.request) for queries in polls))

    def close(self) -> None:
        """Be closed."""
        self.closed = True


@dataclass
class World:
    """Polls with their reader, the keys that were woken, and the time."""

    reader: Reader = field(default_factory=Reader)
    woken: asyncio.Queue[Key] = field(default_factory=asyncio.Queue)
    now: float = 1000.0
    due: bool = True
    wait_seconds: float = 3600.0

    def __post_init__(self) -> None:
        """Connect them."""
        self.polls = Polls(
            self.reader,
            self.woken.put_nowait,
            lambda: self.now,
            wait_seconds=self.wait_seconds,
        )

    def plan(self, now: float) -> MetricsQueries | None:
        """Plan a poll for a time."""
        return plan_queries(request(now=now)) if self.due else None

    def take(self, key: Key = KEY, basis: PollBasis = BASIS) -> Reading | None:
        """Take the answers as a reconcile does."""
        return self.polls.take(key, basis, self.plan)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Return polls without a time limit."""
    created = World()
    yield created
    created.polls.close()


async def test_answers_are_taken_by_the_reconcile_that_they_wake(world: World) -> None:
    """The first reconcile begins the poll, the next ones wait, and one takes the answers."""
    assert world.take() is None
    await asyncio.sleep(0)
    assert world.take() is None
    world.reader.release.set()
    assert await world.woken.get() == KEY
    reading = world.take()
    assert reading is not None
    assert reading.request.now == 1000.0
    assert len(world.reader.begun) == 1
    assert world.take(basis=replace(BASIS, polled_at=1000.0)) is None
    await world.woken.get()
    assert len(world.reader.begun) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"uid": "another"},
        {"generation": 2},
        {"rollout": "r-2"},
        {"state": State.BAKING},
        {"step": 1},
        {"step_started_at": 950.0},
        {"weight": 50},
        {"polled_at": 990.0},
    ],
)
async def test_answers_to_what_the_rollout_was_are_dropped(
    world: World, change: dict[str, object]
) -> None:
    """The poll begins again for what the rollout is now."""
    world.reader.release.set()
    assert world.take() is None
    await world.woken.get()
    changed = replace(BASIS, **change)
    assert world.take(basis=changed) is None
    await world.woken.get()
    assert world.take(basis=changed) is not None


async def test_answers_that_come_when_no_poll_is_due_are_dropped(world: World) -> None:
    """The next poll that is due starts from the beginning."""
    world.reader.release.set()
    world.take()
    world.polls.skip(KEY)  # it has just begun, and goes on
    await world.woken.get()
    world.polls.skip(KEY)
    assert world.take() is None
    await world.woken.get()
    assert len(world.reader.begun) == 2


async def test_a_poll_is_planned_for_the_time_at_which_it_has_its_turn(world: World) -> None:
    """While it waits the window grows; if it is no longer due, nothing is asked."""
    assert world.take(Key("ml", "first")) is None
    await _begun(world, 1)
    assert world.take() is None
    world.now = 1030.0
    world.reader.release.set()
    for _ in range(2):
        await world.woken.get()
    reading = world.take()
    assert reading is not None
    assert reading.request.now == 1030.0


async def test_a_poll_that_is_no_longer_due_is_not_run(world: World) -> None:
    """Its key is woken without answers."""
    world.take()
    world.due = False
    await world.woken.get()
    assert world.reader.begun == []
    world.polls.skip(KEY)


async def test_an_error_of_ours_fails_the_reconcile(world: World) -> None:
    """The reconcile raises it, and so is logged and repeated with back-off."""
    world.reader.error = KeyError("a programming error")
    world.reader.release.set()
    world.take()
    await world.woken.get()
    with pytest.raises(KeyError, match="a programming error"):
        world.take()
    world.take()
    await world.woken.get()
    with pytest.raises(KeyError, match="a programming error"):
        world.polls.skip(KEY)


async def test_a_poll_that_waits_too_long_ends_with_the_reason() -> None:
    """The answers name the cause and what to do; the others are not disturbed."""
    world = World(wait_seconds=0.5)
    other = Key("ml", "other")
    world.take(other)
    await _begun(world, 1)
    world.take()
    assert await world.woken.get() == KEY
    reading = world.take()
    assert reading is not None
    for source in (Source.ROUTER, Source.TRITON):
        answer = reading.answers[source]
        assert isinstance(answer, Unavailable)
        assert "not queried, because other polls took 0 s" in answer.message
        assert "make the queries of spec.rollout.analysis in this namespace" in answer.message
    world.reader.release.set()
    assert await world.woken.get() == other
    assert world.take(other) is not None
    assert len(world.reader.begun) == 1
    world.polls.close()


async def test_a_deleted_object_ends_its_poll(world: World) -> None:
    """It is not read, and those that wait with it are."""
    first, gone = Key("ml", "first"), Key("ml", "gone")
    world.take(first)
    await _begun(world, 1)
    world.take(gone)
    world.take()
    await asyncio.sleep(0)
    world.polls.forget(gone)
    assert await world.woken.get() == gone
    world.reader.release.set()
    assert {await world.woken.get() for _ in range(2)} == {first, KEY}
    assert [len(batch) for batch in world.reader.begun] == [1, 1]


async def test_polls_with_queries_of_users_are_read_one_by_one(world: World) -> None:
    """They may be slow, so they share nothing, and a namespace has a few at a time."""
    keys = [Key("ml", f"m{number}") for number in range(CUSTOM_PER_NAMESPACE + 1)]
    for key in keys:
        world.take(key, replace(BASIS, custom=True))
    await _begun(world, CUSTOM_PER_NAMESPACE)
    assert world.woken.empty()
    world.reader.release.set()
    assert {await world.woken.get() for _ in keys} == set(keys)
    assert [len(batch) for batch in world.reader.begun] == [1] * len(keys)


async def _begun(world: World, batches: int) -> None:
    async def seen() -> int:
        return len(world.reader.begun)

    await wait_until_async(seen, lambda number: number >= batches)


async def test_closing_ends_the_polls_and_closes_the_reader(world: World) -> None:
    """Nothing runs afterwards."""
    world.take()
    await _begun(world, 1)
    world.polls.close()
    await world.woken.get()
    assert world.reader.closed


async def test_slow_queries_of_one_tenant_do_not_delay_the_abort_of_another() -> None:
    """With 100 objects whose queries never end, the abort takes the same requests and writes."""
    alone = await _course_of_the_abort(neighbours=0)
    assert alone.asked == 2
    assert await _course_of_the_abort(neighbours=100) == alone


@dataclass(frozen=True)
class Course:
    """What an abort took."""

    asked: int
    """Queries between the start and the abort."""
    statuses: tuple[Status, ...]


async def _course_of_the_abort(neighbours: int) -> Course:
    doomed = doomed_cluster()
    with serve(SlowServer(bodies(doomed))) as server:
        shared = shared_operator(server, doomed, neighbours)
        slow = CUSTOM_PER_NAMESPACE if neighbours else 0

        async def is_quiet() -> tuple[int, int]:
            return server.waiting, len(shared.queue)

        async def is_decided() -> bool:
            return shared.outcome(VICTIM) is not None

        async with shared.running():
            await wait_until_async(is_quiet, lambda seen: seen == (slow, 0))
            before = len(server.asked)
            shared.queue.add(VICTIM)
            await wait_until_async(is_decided)
            assert shared.outcome(VICTIM) is Outcome.ABORTED
            assert server.waiting == server.peak == slow
            return Course(
                len(server.asked) - before,
                tuple(status for key, status in shared.api.statuses if key == VICTIM),
            )
