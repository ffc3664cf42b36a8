"""The table of transitions agrees with the code and the tests."""

import ast
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import pytest

from halimede.api.status import State
from halimede.rollout import machine, pauses, revision_history, steps
from halimede.rollout.checks import start
from tests.support.recorder import ENTRIES, name_of
from tools.transitions import TRANSITIONS, Transition
from tools.transitions.text import render_page

ROOT = Path(__file__).parents[3]
STUDIED = range(1, 54)
"""The transition numbers of a complete engine; higher ones are additions."""
NOT_BUILT = {}
"""The missing rows and what each would change."""
DECIDING: tuple[Callable[..., object], ...] = (
    *machine.IDLE,
    *(check for check in machine.CHECKS if check not in ENTRIES),
    *(check for check in machine.RECREATE_CHECKS if check not in ENTRIES),
    *machine.ADVANCES.values(),
    *machine.RETREATS.values(),
    *machine.RECREATES.values(),
    steps.remap_steps,
    pauses.pause,
    pauses.resume,
    pauses.track_spec_pause,
    start.forget_failure,
    revision_history.pin,
    revision_history.unpin,
)
"""Every function that may change or hold the state of a ModelDeployment."""


def marked(path: Path) -> Iterator[int]:
    """Return the transition numbers that the tests in a file are marked with."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.transition":
            yield from map(ast.literal_eval, node.args)


def test_table_has_every_number_once() -> None:
    """No row is missing except for the listed ones."""
    numbers = [row.number for row in TRANSITIONS]
    assert numbers == sorted(set(numbers))
    assert [one for one in STUDIED if one not in numbers] == list(NOT_BUILT)


def test_every_row_has_a_test() -> None:
    """Every row has a test marked with its number."""
    tested = {number for path in (ROOT / "tests").rglob("test_*.py") for number in marked(path)}
    assert sorted({row.number for row in TRANSITIONS} ^ tested) == []


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"T{row.number}")
def test_functions_of_a_row_exist(row: Transition) -> None:
    """Every function named in a row exists."""
    assert row.by
    assert all(callable(_found(name)) for name in row.by)


@pytest.mark.parametrize("check", DECIDING, ids=name_of)
def test_what_decides_is_in_a_row(check: Callable[..., object]) -> None:
    """Every function that decides is named in the table."""
    assert [row.number for row in TRANSITIONS if name_of(check) in row.by]


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_and_left(state: State) -> None:
    """The table has an edge into and out of each state."""
    ways = [way for row in TRANSITIONS for way in row.ways]
    assert [way for way in ways if way.to is state and state not in way.origins]
    assert [way for way in ways if state in way.origins and way.to is not state]


def test_page_is_current() -> None:
    """The page agrees with the output of `make docs`."""
    assert (ROOT / "docs" / "transitions.md").read_text() == render_page()


def _found(name: str) -> object:
    parts = name.split(".")
    for size in range(len(parts) - 1, 0, -1):
        try:
            module = import_module(".".join(("halimede", *parts[:size])))
        except ModuleNotFoundError:
            continue
        return resolve_name(f"{module.__name__}:{'.'.join(parts[size:])}")
    raise LookupError(name)
