"""The table as a page for people to read."""

from collections.abc import Iterable, Iterator

from halimede.api.status import State
from tools.transitions import TRANSITIONS
from tools.transitions.row import ANYWHERE, ROLLING, UNDECIDED, StateOrIdle, Transition

INTRODUCTION = """\
# The transitions of a rollout

Written by `make docs` from `tools/transitions`. The tests hold the table
against the code: every function that decides is named in a row, every change of state that random
histories bring about is in a row, and each row has tests that carry its number.

A pass asks the checks in the order of `CHECKS` in `operator/halimede/rollout/machine.py`; the
first that decides takes the rollout at most one row on. *Idle*: no rollout is under way.
*Undecided*: any state before the commit in which a revision may still be stopped. *=*: the state
stays.

| # | From | To | When | What is done | By |
|---:|---|---|---|---|---|
"""
NAMED: dict[frozenset[StateOrIdle], str] = {
    frozenset(ANYWHERE): "any",
    frozenset(ROLLING): "any rollout",
    frozenset(UNDECIDED): "Undecided",
}


def render_page() -> str:
    """Write the table in Markdown."""
    return INTRODUCTION + "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    for row in TRANSITIONS:
        by = ", ".join(f"`{name}`" for name in row.by)
        origins, ends = "<br>".join(_origins(row)), "<br>".join(_ends(row))
        yield f"| {row.number} | {origins} | {ends} | {row.guard} | {row.done} | {by} |"


def _origins(row: Transition) -> Iterator[str]:
    if row.held:
        yield _places(row.held)
    for way in row.ways:
        yield _places(way.origins)


def _ends(row: Transition) -> Iterator[str]:
    if row.held:
        yield "="
    for way in row.ways:
        yield _places((way.to,))


def _places(places: Iterable[StateOrIdle]) -> str:
    known = NAMED.get(frozenset(places))
    return known or ", ".join("Idle" if place is None else State(place) for place in places)
