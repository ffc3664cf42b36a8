"""What a row of the table says, and the sets of states that rows speak of."""

from dataclasses import dataclass

from halimede.api.status import State

Place = State | None
"""Where a ModelDeployment is; None: no rollout is under way (Idle)."""

ROUTED: tuple[Place, ...] = (
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
UNDECIDED: tuple[Place, ...] = (State.STOPPING, State.STARTING, *ROUTED)
"""The rollout may still be stopped."""
GOING_BACK: tuple[Place, ...] = (State.ABORTING, State.ABORT_DRAINING)
"""The new revision is given up."""
ROLLING: tuple[Place, ...] = (*UNDECIDED, State.DRAINING, *GOING_BACK)
"""A rollout is under way."""
ANYWHERE: tuple[Place, ...] = (None, *ROLLING)


@dataclass(frozen=True, slots=True)
class Way:
    """From any of some places to one."""

    origins: tuple[Place, ...]
    to: Place


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
    held: tuple[Place, ...] = ()
    """The places in which it applies and that it does not leave."""
    ways: tuple[Way, ...] = ()
    """The changes of place that it makes."""


def given_up(*origins: Place) -> tuple[Way, ...]:
    """List the ways of a revision that is stopped: what was never routed needs no way back.

    But by Recreate the pods of the old one are to come back.
    """
    unrouted = (State.STOPPING, State.STARTING)
    never = tuple(one for one in origins if one is State.STARTING)
    recreated = tuple(one for one in origins if one in unrouted)
    routed = tuple(one for one in origins if one not in unrouted)
    ways = (Way(never, None), Way(recreated, State.ABORT_DRAINING), Way(routed, State.ABORTING))
    return tuple(way for way in ways if way.origins)
