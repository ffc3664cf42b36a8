"""A row of the table, and the sets of states that rows refer to."""

from collections.abc import Iterable
from dataclasses import dataclass

from halimede.api.status import State
from halimede.rollout import states

StateOrIdle = State | None
"""The state of a ModelDeployment; None: no rollout is under way (Idle)."""


def in_order(states: Iterable[State]) -> tuple[StateOrIdle, ...]:
    """Return states in the order of the state machine."""
    chosen = frozenset(states)
    return tuple(state for state in State if state in chosen)


ROLLING: tuple[StateOrIdle, ...] = tuple(State)
"""A rollout is under way."""
ANYWHERE: tuple[StateOrIdle, ...] = (None, *ROLLING)


@dataclass(frozen=True, slots=True)
class Edge:
    """A change from any of some states to one state."""

    origins: tuple[StateOrIdle, ...]
    to: StateOrIdle


@dataclass(frozen=True, slots=True)
class Transition:
    """One row."""

    slug: str
    """Names the row, in tests and in the page."""
    guard: str
    """When it happens."""
    done: str
    """What changes in the status and in the cluster."""
    by: tuple[str, ...]
    """The functions that make it, by their names within `halimede`."""
    unchanged: tuple[StateOrIdle, ...] = ()
    """The states in which it applies and that it does not change."""
    edges: tuple[Edge, ...] = ()
    """The changes of state that it makes."""


def abort_edges(*origins: StateOrIdle) -> tuple[Edge, ...]:
    """Return the edges of an abort or stop: a revision outside the route has no traffic to move.

    With Recreate the pods of the old revision have to come back, nevertheless.
    """
    starting = tuple(state for state in origins if state is State.STARTING)
    recreated = tuple(state for state in origins if state in states.UNROUTED)
    routed = tuple(state for state in origins if state not in states.UNROUTED)
    edges = (
        Edge(starting, None),
        Edge(recreated, State.ABORT_DRAINING),
        Edge(routed, State.ABORTING),
    )
    return tuple(edge for edge in edges if edge.origins)
