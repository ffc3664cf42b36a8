"""The numbered table of transitions, held against the code and the tests."""

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
"""The numbers that a whole engine has; what goes beyond them is ours."""
NOT_BUILT = {}
"""What each missing row would change."""
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
"""Every function that may change where a ModelDeployment is, or hold it there."""


def marked(path: Path) -> Iterator[int]:
    """List the numbers of the transitions that the tests in a file are about."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.transition":
            yield from map(ast.literal_eval, node.args)


def test_table_has_every_number_once() -> None:
    """No row is missing, but those that are owned up to."""
    numbers = [row.number for row in TRANSITIONS]
    assert numbers == sorted(set(numbers))
    assert [one for one in STUDIED if one not in numbers] == list(NOT_BUILT)


def test_every_row_has_a_test() -> None:
    """Whoever changes a row finds the tests that carry its number."""
    tested = {number for path in (ROOT / "tests").rglob("test_*.py") for number in marked(path)}
    assert sorted({row.number for row in TRANSITIONS} ^ tested) == []


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"T{row.number}")
def test_functions_of_a_row_exist(row: Transition) -> None:
    """What a row names is there."""
    assert row.by
    assert all(callable(_found(name)) for name in row.by)


@pytest.mark.parametrize("check", DECIDING, ids=name_of)
def test_what_decides_is_in_a_row(check: Callable[..., object]) -> None:
    """No function decides without being told of in the table."""
    assert [row.number for row in TRANSITIONS if name_of(check) in row.by]


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_and_left(state: State) -> None:
    """The table leads into each state and out of it."""
    ways = [way for row in TRANSITIONS for way in row.ways]
    assert [way for way in ways if way.to is state and state not in way.origins]
    assert [way for way in ways if state in way.origins and way.to is not state]


def test_page_is_current() -> None:
    """`make docs` was run."""
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
