"""The state machine as a table: every transition, with its number and the functions that make it.

The tests hold the table against the code, in both directions, and docs/transitions.md is written
from it (`make docs`).
"""

from tools.transitions.backward import BACKWARD
from tools.transitions.commands import COMMANDS
from tools.transitions.environment import ENVIRONMENT
from tools.transitions.forward import FORWARD
from tools.transitions.recreate import RECREATE
from tools.transitions.row import Transition
from tools.transitions.start import START

__all__ = ["TRANSITIONS", "Transition"]

TRANSITIONS: tuple[Transition, ...] = tuple(
    sorted(
        (*START, *FORWARD, *BACKWARD, *COMMANDS, *ENVIRONMENT, *RECREATE),
        key=lambda row: row.number,
    )
)
