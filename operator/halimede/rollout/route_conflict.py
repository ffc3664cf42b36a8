"""Foreign writes to the route: each one is counted, and during a conflict no weight rises.

Every reconcile sets the changes back. But while weights change back and forth, the evidence comes
from requests that the rollout did not ask for, so it is held until the other field manager has
been quiet. It is also held while a route that belongs to the user does not exist or cannot be
used.
"""

from halimede.api.status import MOST_FOREIGN_WRITES, ForeignWrites, RolloutStatus, Status
from halimede.rollout.events import join_sentences
from halimede.rollout.facts import ForeignWrite, Route
from halimede.rollout.pauses import restart_clocks

WINDOW_SECONDS = 600.0
"""`MOST_FOREIGN_WRITES` writes within this time are a conflict; this time without one ends it."""


def record_write(status: Status, write: ForeignWrite | None, now: float) -> Status:
    """Count a new write, and clear the count after `WINDOW_SECONDS` without one.

    A write that is still to be set back, for example because ours are rejected, is observed again
    in every reconcile; its time shows that it is the same one.
    """
    before = status.foreign_writes
    writes = before
    if write is not None and (writes is None or write.at > writes.at[-1]):
        writes = _count_write(writes, write, now)
    if writes is None or now < ends_at(writes):
        return status if writes is before else _with_writes(status, writes)
    if before is None:
        return status
    if before.held_since is not None and status.rollout is not None:
        status = status.evolve(rollout=restart_clocks(status.rollout, now))
    return _with_writes(status, None)


def track_blocked(rollout: RolloutStatus, route: Route, now: float) -> RolloutStatus:
    """Record that the route cannot be used, or can be again; then the clocks restart."""
    if route.blocked and rollout.blocked_since is None:
        return rollout.evolve(blocked_since=now)
    if not route.blocked and rollout.blocked_since is not None:
        return restart_clocks(rollout.evolve(blocked_since=None), now)
    return rollout


def ends_at(writes: ForeignWrites) -> float:
    """Return when the last write is `WINDOW_SECONDS` ago."""
    return writes.at[-1] + WINDOW_SECONDS


def active_conflict(status: Status) -> str | None:
    """Describe the active conflict, and how to end it; None if there is none."""
    writes = status.foreign_writes
    if writes is None or writes.held_since is None:
        return None
    return join_sentences(
        f"Field manager {writes.manager!r} changed the route's weights at least"
        f" {len(writes.at)} times within {WINDOW_SECONDS:.0f} s; each time they were restored",
        f"Stop it from writing these weights; rollouts resume after {WINDOW_SECONDS:.0f} s"
        " without a conflicting write",
    )


def _count_write(before: ForeignWrites | None, write: ForeignWrite, now: float) -> ForeignWrites:
    at = (*(before.at if before else ()), write.at)[-MOST_FOREIGN_WRITES:]
    many = len(at) == MOST_FOREIGN_WRITES and at[-1] - at[0] <= WINDOW_SECONDS
    held_since = before.held_since if before else None
    return ForeignWrites(
        manager=write.manager, at=at, held_since=now if many and held_since is None else held_since
    )


def _with_writes(status: Status, writes: ForeignWrites | None) -> Status:
    return status.evolve(foreign_writes=writes)
