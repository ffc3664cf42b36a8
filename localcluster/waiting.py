"""Wait for a condition outside this process; the error of a time-out shows its last state."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

POLL_INTERVAL = 0.05
"""Seconds between two polls."""

LAST_LINES = 15
"""Lines of a log that an error shows."""

FULL_BYTES = 1 << 20
"""A disk with less free space than this counts as full: programs cannot write there."""

Missing = Callable[[], str]
"""Returns what is still missing, in words, or "" once nothing is; called often."""


class GaveUpError(RuntimeError):
    """A wait timed out; the message has what was missing last and what explains it."""


def wait_until(
    what: str, missing: Missing, within: float, explain: Callable[[], str] | None = None
) -> None:
    """Return once nothing is missing.

    Raise `GaveUpError` after ``within`` seconds, with the last result of ``missing`` and with the
    text that ``explain`` returns.
    """
    deadline = time.monotonic() + within
    while last := missing():
        if time.monotonic() > deadline:
            why = f"timed out after {within:g} s waiting for {what}; last seen: {last}"
            raise GaveUpError(f"{why}\n{explain()}" if explain else why)
        threading.Event().wait(POLL_INTERVAL)


def show_end(log: Path) -> str:
    """Return the last lines of a log, indented, below its path."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
    except OSError as error:
        lines = [f"(it cannot be read: {error.strerror})"]
    text = "\n".join(f"    {line}" for line in lines) or "    (no output)"
    if shutil.disk_usage(log.parent).free < FULL_BYTES:
        text += f"\n    (the disk of {log.parent} is full)"
    return f"The end of {log}:\n{text}"
