"""Records which check makes each transition of a ModelDeployment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from halimede.rollout import machine
from halimede.rollout.context import Decision, RolloutContext
from tools.transitions.row import StateOrIdle, Transition

Step = tuple[str, StateOrIdle, StateOrIdle]
"""The name of a function, and the states before and after it."""

ENTRIES = (machine.going_back, machine.advancing)
"""Checks that only call the one of the state."""


def name_of(function: Callable[..., object]) -> str:
    """Return a function's name as in the table."""
    return f"{function.__module__}.{function.__qualname__}".removeprefix("halimede.")


@contextmanager
def recorded() -> Iterator[set[Step]]:
    """Record the state machine's decisions in this block."""
    steps: set[Step] = set()

    def watched(check: Any) -> Any:
        def check_and_record(ctx: RolloutContext) -> Decision | None:
            move: Decision | None = check(ctx)
            if move is not None:
                before, after = ctx.status.rollout, move.status.rollout
                steps.add((name_of(check), before and before.state, after and after.state))
            return move

        return check if check in ENTRIES else check_and_record

    def remapped(rollout: Any, *rest: Any) -> Any:
        after = machine_remap(rollout, *rest)
        if after is not rollout:
            steps.add((name_of(machine_remap), rollout.state, after.state))
        return after

    machine_remap = machine.remap_steps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "IDLE", tuple(map(watched, machine.IDLE)))
        patch.setattr(machine, "CHECKS", tuple(map(watched, machine.CHECKS)))
        patch.setattr(machine, "RECREATE_CHECKS", tuple(map(watched, machine.RECREATE_CHECKS)))
        for table in (machine.ADVANCES, machine.RETREATS, machine.RECREATES):
            for state, check in table.items():
                patch.setitem(table, state, watched(check))
        patch.setattr(machine, "remap_steps", remapped)
        yield steps


def declares(row: Transition, step: Step) -> bool:
    """Return whether a row of the table allows this step."""
    name, before, after = step
    if name not in row.by:
        return False
    if before == after:
        return before in row.unchanged
    return any(before in edge.origins and after == edge.to for edge in row.edges)
