"""Show on the terminal what is being done, and for how long already.

It imports the standard library only: the installation of the packages is shown with it.
"""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[str], None]
"""Say what the step at hand is doing just now."""

TICK_SECONDS = 0.5
"""How often a terminal shows the time."""

REPORT_SECONDS = 10.0
"""How often a file or a pipe gets a line about a step that goes on."""

_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """Shows steps: one line that is written over on a terminal, plain lines elsewhere."""

    def __init__(self, tell: Tell | None = None, report_seconds: float = REPORT_SECONDS) -> None:
        """Give the lines to ``tell``, or write them to the standard error output."""
        self._on_terminal = tell is None and sys.stderr.isatty()
        self._tell = tell or _write
        self._report_seconds = report_seconds

    @contextmanager
    def step(self, what: str, *, expected: str = "") -> Iterator[Tell]:
        """Show that ``what`` is being done, and afterwards how long it took.

        ``expected`` says how long it should take: ``about 5 min``. The value that the block gets
        is a function that shows a detail of the step.
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
            self._tell(f"{what}: {outcome}{_spoken(step.seconds)}")

    def _tick(self, step: "_Step", over: threading.Event) -> None:
        while not over.wait(TICK_SECONDS if self._on_terminal else self._report_seconds):
            self._show(step)

    def _show(self, step: "_Step", *, first: bool = False) -> None:
        detail = f", {step.detail}" if step.detail else ""
        if self._on_terminal:
            line = f"{step.announced}: {_spoken(step.seconds)}{detail}"
            sys.stderr.write(_CLEAR_LINE + line[: shutil.get_terminal_size().columns - 1])
            sys.stderr.flush()
        elif first:
            self._tell(f"{step.announced} ...")
        else:
            self._tell(f"{step.announced}: {_spoken(step.seconds)} so far{detail}")


class _Step:
    """What is being done, since when, and what of it just now."""

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


def _spoken(seconds: float) -> str:
    """Write a duration.

    >>> _spoken(7.04), _spoken(135)
    ('7.0 s', '2 min 15 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
