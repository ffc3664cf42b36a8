"""The state machine as a table: every transition, with its number and the functions that make it.

The tests hold the table against the code, in both directions, and docs/transitions.md is written
from it (`make docs`).
"""

from halimede.rollout.transitions.backward import BACKWARD
from halimede.rollout.transitions.forward import FORWARD
from halimede.rollout.transitions.people import PEOPLE
from halimede.rollout.transitions.recreating import RECREATING
from halimede.rollout.transitions.row import Transition
from halimede.rollout.transitions.start import START
from halimede.rollout.transitions.surroundings import SURROUNDINGS

__all__ = ["TRANSITIONS", "Transition"]

TRANSITIONS: tuple[Transition, ...] = tuple(
    sorted(
        (*START, *FORWARD, *BACKWARD, *PEOPLE, *SURROUNDINGS, *RECREATING),
        key=lambda row: row.number,
    )
)
