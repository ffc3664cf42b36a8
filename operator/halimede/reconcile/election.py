"""Leader election: of several replicas of the operator only one reconciles.

It works as client-go's `leaderelection` does. The leader renews a Lease; the others take it when
it has not been renewed for its whole duration. Each replica measures that duration from the moment
at which it saw the last renewal, by the clock since boot. A leader that could not renew stops
writing after two thirds of the duration, before any other can take the Lease.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine

from halimede import telemetry
from halimede.adapters.errors import NotLeaderError, OperatorError
from halimede.adapters.lease import Lease, LeaseClient

log = logging.getLogger(__name__)

RENEW_DEADLINE = 2 / 3
"""Fraction of the Lease's duration after which a leader that could not renew is none any more."""
RETRY = 1 / 6
"""Fraction of the duration between two attempts."""


class LostLeaseError(Exception):
    """This replica leads no more."""


def boot_clock() -> float:
    """Return seconds since boot. They go on while the process or the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Elector:
    """Takes part in the election for one replica."""

    def __init__(
        self,
        leases: LeaseClient,
        identity: str,
        seconds: float,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        """Create an elector that does not lead.

        Args:
            leases: Access to the Lease.
            identity: Distinguishes this process from all others, also from earlier ones.
            seconds: The duration of the Lease.
            clock: Returns seconds; no wall clock, which may be set back.
        """
        self._leases, self._identity, self._seconds = leases, identity, seconds
        self._clock = clock
        self._valid_until = float("-inf")
        self._seen: tuple[str, float] | None = None
        """The last version of the Lease, and when it was read first."""

    @property
    def is_leader(self) -> bool:
        """Whether this replica may write now."""
        return self._clock() < self._valid_until

    def require_leadership(self) -> None:
        """Raise `NotLeaderError` if this replica may not write now."""
        if not self.is_leader:
            raise NotLeaderError("this replica is not the leader")

    async def lead(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run *work* whenever this replica leads, until this is cancelled."""
        while True:
            await self._acquire()
            telemetry.LEADER.set(1)
            log.info("Became the leader", extra=self._log_fields)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._renew())
                    tasks.create_task(work())
            except* LostLeaseError:
                log.warning("Lost the lease, will write nothing", extra=self._log_fields)
            finally:
                telemetry.LEADER.set(0)

    async def attempt(self) -> bool:
        """Take or renew the Lease if this replica may; return whether it did."""
        started = self._clock()
        try:
            async with asyncio.timeout(self._seconds * (1 - RENEW_DEADLINE)):
                lease = await self._leases.read()
                if lease is not None and not self._may_take(lease):
                    self._valid_until = float("-inf")
                    return False
                if not await self._leases.write(lease, self._identity, self._seconds):
                    return False
        except (OperatorError, TimeoutError) as error:
            reason = str(error) or "the API server did not answer in time"
            log.warning("Could not take or renew the lease: %s", reason, extra=self._log_fields)
            return False
        # From before the request: the other replicas may have seen the renewal as early as that.
        self._valid_until = started + self._seconds * RENEW_DEADLINE
        return True

    async def release(self) -> None:
        """Give the Lease back, so that another replica need not wait until it expires."""
        if not self.is_leader:
            return
        self._valid_until = float("-inf")
        try:
            lease = await self._leases.read()
            if lease is not None and lease.holder == self._identity:
                await self._leases.write(lease, None, 1.0)
        except OperatorError as error:
            log.warning("Could not release the lease: %s", error)

    async def _acquire(self) -> None:
        while True:
            if await self.attempt():
                return
            await asyncio.sleep(self._seconds * RETRY)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._seconds * RETRY)
            while not await self.attempt():
                if not self.is_leader:
                    raise LostLeaseError
                await asyncio.sleep(self._seconds * RETRY / 4)

    def _may_take(self, lease: Lease) -> bool:
        """Whether the Lease is this replica's, was released, or was not renewed in time."""
        now = self._clock()
        if self._seen is None or self._seen[0] != lease.version:
            self._seen = lease.version, now
        if lease.holder in (None, self._identity):
            return True
        return now - self._seen[1] >= max(lease.seconds, self._seconds)

    @property
    def _log_fields(self) -> dict[str, str]:
        return {"identity": self._identity}
