"""Wait for a condition; a test never waits for time."""

import threading
import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Return once ``holds`` is true; fail if that takes longer than ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not come true within {seconds} s"
        threading.Event().wait(0.05)
