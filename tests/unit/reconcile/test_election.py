"""Leader election, with a Lease and a clock in memory."""

import asyncio
from dataclasses import dataclass, field

import pytest

from halimede.adapters.errors import NotLeaderError, TransientError
from halimede.adapters.lease import Lease
from halimede.reconcile.election import Elector

SECONDS = 12.0
DEADLINE = 8.0


@dataclass
class Leases:
    """The Lease as the API server has it: each write needs the version that was read."""

    lease: Lease | None = None
    writes: int = 0
    error: Exception | None = None
    taken_first: bool = False
    """Another replica writes between each read and write."""

    async def read(self) -> Lease | None:
        """Return the Lease, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.lease

    async def write(self, before: Lease | None, holder: str | None, seconds: float) -> bool:
        """Replace the Lease if nobody else has."""
        if self.taken_first:
            self.write_as("other", seconds)
        if before is not self.lease:
            return False
        self.write_as(holder, seconds)
        return True

    def write_as(self, holder: str | None, seconds: float = SECONDS) -> None:
        """Write the Lease without a condition."""
        self.writes += 1
        self.lease = Lease(holder, seconds, str(self.writes), {})


@dataclass
class Replica:
    """One replica, and the clock of all."""

    leases: Leases
    now: list[float] = field(default_factory=lambda: [100.0])
    name: str = "a"
    elector: Elector = field(init=False)

    def __post_init__(self) -> None:
        """Create the elector."""
        self.elector = Elector(self.leases, self.name, SECONDS, lambda: self.now[0])  # type: ignore[arg-type]

    async def attempts_after(self, seconds: float) -> bool:
        """Attempt to lead after some time."""
        self.now[0] += seconds
        return await self.elector.attempt()


def two_replicas() -> tuple[Replica, Replica]:
    """Return two replicas with one Lease and one clock."""
    first = Replica(Leases())
    return first, Replica(first.leases, first.now, "b")


async def test_the_first_to_write_leads() -> None:
    """Given no Lease, the first replica leads, the second does not."""
    first, second = two_replicas()
    assert await first.elector.attempt()
    assert not await second.elector.attempt()
    assert (first.elector.is_leader, second.elector.is_leader) == (True, False)
    first.elector.require_leadership()
    with pytest.raises(NotLeaderError):
        second.elector.require_leadership()


async def test_a_leader_that_renews_stays_the_leader() -> None:
    """Given a renewal every two seconds, the other replica never takes the Lease."""
    first, second = two_replicas()
    for _ in range(20):
        assert await first.attempts_after(2)
        assert not await second.elector.attempt()


async def test_a_lease_that_is_not_renewed_is_taken_after_its_duration() -> None:
    """The duration counts from when the other replica saw the last renewal."""
    first, second = two_replicas()
    await first.elector.attempt()
    assert not await second.attempts_after(5)
    assert not await second.attempts_after(SECONDS - 0.1)
    assert await second.attempts_after(0.1)
    assert not await first.elector.attempt()


async def test_a_leader_stops_before_another_can_take_over() -> None:
    """Given no renewal, the leader may not write after two thirds of the duration."""
    first, second = two_replicas()
    await first.elector.attempt()
    await second.elector.attempt()
    first.now[0] += DEADLINE - 0.1
    first.elector.require_leadership()
    first.now[0] += 0.1
    with pytest.raises(NotLeaderError):
        first.elector.require_leadership()
    assert not await second.elector.attempt()


async def test_a_leader_that_was_suspended_does_not_write() -> None:
    """Given that another has led meanwhile, the old leader learns it before its first write."""
    first, second = two_replicas()
    await first.elector.attempt()
    await second.elector.attempt()
    assert await second.attempts_after(SECONDS)
    assert not first.elector.is_leader
    assert not await first.elector.attempt()
    assert second.elector.is_leader


async def test_the_time_in_the_lease_does_not_matter() -> None:
    """Given a holder whose duration is longer, its duration counts."""
    leases = Leases()
    leases.write_as("other", 2 * SECONDS)
    replica = Replica(leases)
    assert not await replica.elector.attempt()
    assert not await replica.attempts_after(2 * SECONDS - 0.1)
    assert await replica.attempts_after(0.1)


async def test_a_race_for_the_lease_has_one_winner() -> None:
    """Given that another replica writes between our read and write, we do not lead."""
    replica = Replica(Leases(taken_first=True))
    assert not await replica.elector.attempt()
    assert not replica.elector.is_leader


async def test_a_leader_survives_a_short_outage() -> None:
    """Given an API server that is away for less than the deadline, the leader stays."""
    replica = Replica(Leases())
    await replica.elector.attempt()
    replica.leases.error = TransientError("away")
    assert not await replica.attempts_after(DEADLINE - 1)
    assert replica.elector.is_leader
    replica.leases.error = None
    assert await replica.attempts_after(0.5)


async def test_a_released_lease_is_taken_at_once() -> None:
    """Given a leader that ends, the other replica need not wait."""
    first, second = two_replicas()
    await first.elector.attempt()
    await second.elector.attempt()
    await first.elector.release()
    assert not first.elector.is_leader
    assert await second.elector.attempt()
    await first.elector.release()
    assert second.leases.lease is not None
    assert second.leases.lease.holder == "b"


async def test_the_work_ends_with_the_leadership_and_starts_again() -> None:
    """Given a Lease that another takes and releases, the work is cancelled and run again."""
    leases, started, ended = Leases(), asyncio.Semaphore(0), asyncio.Semaphore(0)
    elector = Elector(leases, "a", 0.06)  # type: ignore[arg-type]

    async def work() -> None:
        started.release()
        try:
            await asyncio.Event().wait()
        finally:
            ended.release()

    leading = asyncio.create_task(elector.lead(work))
    await started.acquire()
    leases.write_as("other", 3600)
    await ended.acquire()
    leases.write_as(None)
    await started.acquire()
    leading.cancel()
    await asyncio.wait([leading])
    assert leading.cancelled()
