"""Who decided what: every check that moves a ModelDeployment from one place to the next."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from halimede.rollout import machine
from halimede.rollout.context import Decision, RolloutContext
from tools.transitions.row import StateOrIdle, Transition

Step = tuple[str, StateOrIdle, StateOrIdle]
"""The name of a function, and the places before and after it."""

ENTRIES = (machine.going_back, machine.advancing)
"""Checks that only ask the one of the state."""


def name_of(function: Callable[..., object]) -> str:
    """Name a function as the table does."""
    return f"{function.__module__}.{function.__qualname__}".removeprefix("halimede.")


@contextmanager
def recorded() -> Iterator[set[Step]]:
    """Record what the machine decides in this block."""
    seen: set[Step] = set()

    def watched(check: Any) -> Any:
        def ask(scene: RolloutContext) -> Decision | None:
            move: Decision | None = check(scene)
            if move is not None:
                before, after = scene.status.rollout, move.status.rollout
                seen.add((name_of(check), before and before.state, after and after.state))
            return move

        return check if check in ENTRIES else ask

    def remapped(rollout: Any, *rest: Any) -> Any:
        after = machine_remap(rollout, *rest)
        if after is not rollout:
            seen.add((name_of(machine_remap), rollout.state, after.state))
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
        yield seen


def declares(row: Transition, step: Step) -> bool:
    """Whether a row of the table says that this may happen."""
    name, before, after = step
    if name not in row.by:
        return False
    if before == after:
        return before in row.held
    return any(before in way.origins and after == way.to for way in row.ways)
