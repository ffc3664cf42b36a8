"""Show on the terminal what is being done, and for how long.

It imports the standard library only: it shows the installation of the packages.
"""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str], None]
"""Shows what the current step is doing."""

TICK_SECONDS = 0.5
"""Seconds between two updates of a terminal."""

REPORT_SECONDS = 10.0
"""Seconds between two lines about a running step in a file or a pipe."""

_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """Shows steps: one line that is overwritten on a terminal, plain lines elsewhere."""

    def __init__(self, tell: Tell | None = None, report_seconds: float = REPORT_SECONDS) -> None:
        """Pass the lines to ``tell``, or write them to standard error."""
        self._on_terminal = tell is None and sys.stderr.isatty()
        self._tell = tell or _write
        self._report_seconds = report_seconds

    @contextmanager
    def step(self, what: str, *, expected: str = "") -> Iterator[Tell]:
        """Show that ``what`` is being done, and afterwards how long it took.

        ``expected`` is the expected duration: ``about 5 min``. The block gets a function that
        shows a detail of the step.
        """
        step = _Step(f"{what} ({expected})" if expected else what)
        self._show(step, first=True)
        over = threading.Event()
        ticking = threading.Thread(target=self._tick, args=(step, over), daemon=True)
        ticking.start()
        outcome = "failed after "
        try:
            yield step.note
            outcome = ""
        finally:
            over.set()
            ticking.join()
            if self._on_terminal:
                sys.stderr.write(_CLEAR_LINE)
            self._tell(f"{what}: {outcome}{_duration(step.seconds)}")

    def _tick(self, step: "_Step", over: threading.Event) -> None:
        while not over.wait(TICK_SECONDS if self._on_terminal else self._report_seconds):
            self._show(step)

    def _show(self, step: "_Step", *, first: bool = False) -> None:
        detail = f", {step.detail}" if step.detail else ""
        if self._on_terminal:
            line = f"{step.announced}: {_duration(step.seconds)}{detail}"
            sys.stderr.write(_CLEAR_LINE + line[: shutil.get_terminal_size().columns - 1])
            sys.stderr.flush()
        elif first:
            self._tell(f"{step.announced} ...")
        else:
            self._tell(f"{step.announced}: {_duration(step.seconds)} so far{detail}")


class _Step:
    """A step: its name, when it began, and its current detail."""

    def __init__(self, announced: str) -> None:
        self.announced = announced
        self.detail = ""
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def note(self, detail: str) -> None:
        self.detail = detail


def _write(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _duration(seconds: float) -> str:
    """Format a duration.

    >>> _duration(7.04), _duration(135)
    ('7.0 s', '2 min 15 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
