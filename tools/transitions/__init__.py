"""The state machine as a table: every transition, with its name and the functions that make it.

The tests compare the table with the code, in both directions, and `make docs` generates
docs/transitions.md from it.
"""

from tools.transitions.backward import BACKWARD
from tools.transitions.commands import COMMANDS
from tools.transitions.environment import ENVIRONMENT
from tools.transitions.forward import FORWARD
from tools.transitions.recreate import RECREATE
from tools.transitions.row import Transition
from tools.transitions.start import START

__all__ = ["TRANSITIONS", "Transition"]

TRANSITIONS: tuple[Transition, ...] = (
    *START,
    *FORWARD,
    *BACKWARD,
    *COMMANDS,
    *ENVIRONMENT,
    *RECREATE,
)
