"""The route in other hands: each foreign write is counted, and while it is a fight, nothing rises.

What they changed is set back in every pass. But a rollout whose weights come and go learns from
requests that it did not ask for, so it holds until the other writer has been quiet. It also holds
while a route that belongs to the user is not there, or not fit to be used.
"""

from halimede.api.status import MOST_FOREIGN_WRITES, ForeignWrites, RolloutStatus, Status
from halimede.rollout.events import join_sentences
from halimede.rollout.facts import ForeignWrite, Route
from halimede.rollout.pauses import restart_clocks

WINDOW_SECONDS = 600.0
"""So many writes (`MOST_FOREIGN_WRITES`) within this time are a fight; so long a quiet ends it."""


def record_write(status: Status, write: ForeignWrite | None, now: float) -> Status:
    """Count a write that is new, and forget all of them after a quiet time.

    A write that is still to be set back, say because ours are refused, is seen again in every
    pass; its time tells that it is the same.
    """
    before = status.foreign_writes
    known = before
    if write is not None and (known is None or write.at > known.at[-1]):
        known = _counted(known, write, now)
    if known is None or now < ends_at(known):
        return status if known is before else _with(status, known)
    if before is None:
        return status
    if before.held_since is not None and status.rollout is not None:
        status = status.evolve(rollout=restart_clocks(status.rollout, now))
    return _with(status, None)


def track_blocked(rollout: RolloutStatus, route: Route, now: float) -> RolloutStatus:
    """Note that the user's route cannot be used, or can be again: then the clocks start anew."""
    if route.blocked and rollout.blocked_since is None:
        return rollout.evolve(blocked_since=now)
    if not route.blocked and rollout.blocked_since is not None:
        return restart_clocks(rollout.evolve(blocked_since=None), now)
    return rollout


def ends_at(known: ForeignWrites) -> float:
    """Say when the last write will have been long enough ago."""
    return known.at[-1] + WINDOW_SECONDS


def active_conflict(status: Status) -> str | None:
    """Describe the fight that is on, and how to end it; None: there is none."""
    known = status.foreign_writes
    if known is None or known.held_since is None:
        return None
    return join_sentences(
        f"Field manager {known.manager!r} changed the route's weights again and again"
        f" ({len(known.at)} times or more within {WINDOW_SECONDS:.0f} s); each time they were"
        " set back",
        f"Have it leave them alone; after {WINDOW_SECONDS:.0f} s without such a write rollouts"
        " go on",
    )


def _counted(known: ForeignWrites | None, write: ForeignWrite, now: float) -> ForeignWrites:
    at = (*(known.at if known else ()), write.at)[-MOST_FOREIGN_WRITES:]
    many = len(at) == MOST_FOREIGN_WRITES and at[-1] - at[0] <= WINDOW_SECONDS
    held = known.held_since if known else None
    return ForeignWrites(
        manager=write.manager, at=at, held_since=now if many and held is None else held
    )


def _with(status: Status, known: ForeignWrites | None) -> Status:
    return status.evolve(foreign_writes=known)
