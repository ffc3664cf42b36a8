"""The changes of state as a Mermaid diagram."""

from collections.abc import Iterable, Iterator

from halimede.api.status import State
from halimede.rollout.states import IN_ROUTE, UNDECIDED
from tools.transitions.row import StateOrIdle, Transition

Change = tuple[StateOrIdle, StateOrIdle]
ROUTED = tuple(state for state in State if state in IN_ROUTE & UNDECIDED)
_ROUTED_NODE = "Routed"


def render_diagram(rows: Iterable[Transition]) -> str:
    """Return a `stateDiagram-v2` of all changes of state that the rows make.

    Where every state in the route has an arrow to the same state, as for an abort, there is one
    arrow from all of them.
    """
    return "".join(f"{line}\n" for line in _lines(_changes(rows)))


def _changes(rows: Iterable[Transition]) -> list[Change]:
    """Return each change once, in the order of the states."""
    made = {(origin, edge.to) for row in rows for edge in row.edges for origin in edge.origins}
    places: tuple[StateOrIdle, ...] = (None, *State)
    return [
        (origin, to)
        for origin in places
        for to in places
        if origin is not to and (origin, to) in made
    ]


def _lines(changes: list[Change]) -> Iterator[str]:
    common = [to for to in (None, *State) if all((origin, to) in changes for origin in ROUTED)]
    yield "stateDiagram-v2"
    if common:
        yield f'    state "any state from {ROUTED[0]} to {ROUTED[-1]}" as {_ROUTED_NODE}'
    for origin, to in changes:
        if not (origin in ROUTED and to in common):
            yield f"    {_node(origin)} --> {_node(to)}"
    for to in common:
        yield f"    {_ROUTED_NODE} --> {_node(to)}"


def _node(place: StateOrIdle) -> str:
    return "[*]" if place is None else str(place)
