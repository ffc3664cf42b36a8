"""What a row of the table says, and the sets of states that rows speak of."""

from dataclasses import dataclass

from halimede.api.status import State

StateOrIdle = State | None
"""Where a ModelDeployment is; None: no rollout is under way (Idle)."""

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
"""The route knows the new revision, and it may still be stopped."""
UNDECIDED: tuple[StateOrIdle, ...] = (State.STOPPING, State.STARTING, *ROUTED)
"""The rollout may still be stopped."""
GOING_BACK: tuple[StateOrIdle, ...] = (State.ABORTING, State.ABORT_DRAINING)
"""The new revision is given up."""
ROLLING: tuple[StateOrIdle, ...] = (*UNDECIDED, State.DRAINING, *GOING_BACK)
"""A rollout is under way."""
ANYWHERE: tuple[StateOrIdle, ...] = (None, *ROLLING)


@dataclass(frozen=True, slots=True)
class Edge:
    """From any of some places to one."""

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
    """The places in which it applies and that it does not leave."""
    ways: tuple[Edge, ...] = ()
    """The changes of place that it makes."""


def abort_edges(*origins: StateOrIdle) -> tuple[Edge, ...]:
    """List the ways of a revision that is stopped: what was never routed needs no way back.

    But by Recreate the pods of the old one are to come back.
    """
    unrouted = (State.STOPPING, State.STARTING)
    never = tuple(one for one in origins if one is State.STARTING)
    recreated = tuple(one for one in origins if one in unrouted)
    routed = tuple(one for one in origins if one not in unrouted)
    ways = (Edge(never, None), Edge(recreated, State.ABORT_DRAINING), Edge(routed, State.ABORTING))
    return tuple(way for way in ways if way.origins)
