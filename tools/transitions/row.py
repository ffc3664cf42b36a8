"""A row of the table, and the sets of states that rows refer to."""

from dataclasses import dataclass

from halimede.api.status import State

StateOrIdle = State | None
"""The state of a ModelDeployment; None: no rollout is under way (Idle)."""

ROUTED: tuple[StateOrIdle, ...] = (
    State.PRIMING,
    State.MIRRORING,
    State.SHIFTING,
    State.ANALYSING,
    State.STEP_PAUSED,
    State.AWAITING_PROMOTION,
    State.SCALING_UP,
    State.PROMOTING,
    State.BAKING,
)
"""The new revision is in the route, and the rollout may still be stopped."""
UNDECIDED: tuple[StateOrIdle, ...] = (State.STOPPING, State.STARTING, *ROUTED)
"""The rollout may still be stopped."""
GOING_BACK: tuple[StateOrIdle, ...] = (State.ABORTING, State.ABORT_DRAINING)
"""The rollout is aborted or stopped."""
ROLLING: tuple[StateOrIdle, ...] = (*UNDECIDED, State.DRAINING, *GOING_BACK)
"""A rollout is under way."""
ANYWHERE: tuple[StateOrIdle, ...] = (None, *ROLLING)


@dataclass(frozen=True, slots=True)
class Edge:
    """A change from any of some states to one state."""

    origins: tuple[StateOrIdle, ...]
    to: StateOrIdle


@dataclass(frozen=True, slots=True)
class Transition:
    """One numbered row."""

    number: int
    guard: str
    """When it happens."""
    done: str
    """What changes in the status and in the cluster."""
    by: tuple[str, ...]
    """The functions that make it, by their names within `halimede`."""
    held: tuple[StateOrIdle, ...] = ()
    """The states in which it applies and that it does not change."""
    ways: tuple[Edge, ...] = ()
    """The changes of state that it makes."""


def abort_edges(*origins: StateOrIdle) -> tuple[Edge, ...]:
    """Return the edges of an abort or stop: a revision outside the route has no traffic to move.

    With Recreate the pods of the old revision have to come back, nevertheless.
    """
    unrouted = (State.STOPPING, State.STARTING)
    starting = tuple(state for state in origins if state is State.STARTING)
    recreated = tuple(state for state in origins if state in unrouted)
    routed = tuple(state for state in origins if state not in unrouted)
    ways = (
        Edge(starting, None),
        Edge(recreated, State.ABORT_DRAINING),
        Edge(routed, State.ABORTING),
    )
    return tuple(way for way in ways if way.origins)
