"""The table of transitions agrees with the code and the tests."""

import ast
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import pytest

from halimede.api.status import State
from halimede.rollout import machine, pauses, revision_history, steps
from halimede.rollout.checks import start
from halimede.rollout.commands import source
from tests.support.recorder import ENTRIES, name_of
from tools.transitions import TRANSITIONS, Transition
from tools.transitions.diagram import render_diagram
from tools.transitions.text import render_page

ROOT = Path(__file__).parents[3]
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
    source.forget_failure,
    source.give_up,
    revision_history.pin,
    revision_history.unpin,
)
"""Every function that may change or hold the state of a ModelDeployment."""


def marked(path: Path) -> Iterator[str]:
    """Return the names of rows that the tests in a file are marked with."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.transition":
            yield from map(ast.literal_eval, node.args)


def test_every_row_has_a_name_of_its_own() -> None:
    """Names are of lower-case words with hyphens, and no two rows have the same."""
    slugs = [row.slug for row in TRANSITIONS]
    assert len(set(slugs)) == len(slugs)
    assert [slug for slug in slugs if not re.fullmatch(r"[a-z]+(-[a-z]+)+|[a-z]+", slug)] == []


def test_every_row_has_a_test() -> None:
    """Every row has a test marked with its name."""
    tested = {slug for path in (ROOT / "tests").rglob("test_*.py") for slug in marked(path)}
    assert sorted({row.slug for row in TRANSITIONS} ^ tested) == []


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: row.slug)
def test_functions_of_a_row_exist(row: Transition) -> None:
    """Every function named in a row exists."""
    assert row.by
    assert all(callable(_found(name)) for name in row.by)


@pytest.mark.parametrize("check", DECIDING, ids=name_of)
def test_what_decides_is_in_a_row(check: Callable[..., object]) -> None:
    """Every function that decides is named in the table."""
    assert [row.slug for row in TRANSITIONS if name_of(check) in row.by]


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_and_left(state: State) -> None:
    """The table has an edge into and out of each state."""
    edges = [edge for row in TRANSITIONS for edge in row.edges]
    assert [edge for edge in edges if edge.to is state and state not in edge.origins]
    assert [edge for edge in edges if state in edge.origins and edge.to is not state]


def test_diagram_joins_what_all_routed_states_do() -> None:
    """An abort is one arrow, and a change of some states has its own."""
    arrows = [line.strip() for line in render_diagram(TRANSITIONS).splitlines() if "-->" in line]
    assert len(set(arrows)) == len(arrows)
    assert {"[*] --> Starting", "Routed --> Aborting", "Baking --> Draining"} <= set(arrows)
    assert "Baking --> Aborting" not in arrows


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
