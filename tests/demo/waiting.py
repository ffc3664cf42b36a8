"""Wait for a condition, never for a time."""

import threading
import time
from collections.abc import Callable

LOOK_EVERY = 0.05


def until(condition: Callable[[], bool], within: float = 30.0) -> bool:
    """Wait for ``condition`` for ``within`` seconds at most and say whether it came."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if condition():
            return True
        threading.Event().wait(LOOK_EVERY)
    return False
