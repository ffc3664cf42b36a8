"""Tell the person at the terminal what is going on, and for how long it may."""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

Tell = Callable[[str], None]
"""Say what the step at hand is doing just now."""


class Progress:
    """Shows steps: a spinner with the time elapsed on a terminal, plain lines elsewhere."""

    def __init__(self, tell: Tell | None = None) -> None:
        """Give the lines to ``tell``, or show them on the standard error output."""
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._spins = tell is None and self._console.is_terminal
        self._tell = tell or functools.partial(self._console.print, markup=False)

    @contextmanager
    def step(self, what: str, *, expected: str = "") -> Iterator[Tell]:
        """Show that ``what`` is being done, and afterwards how long it took.

        ``expected`` says how long it should take: ``about 5 min``. The value that the block gets
        is a function that shows a detail of the step.
        """
        started = time.monotonic()
        announced = f"{what} ({expected})" if expected else what
        if self._spins:
            with self._spinner(announced) as tell:
                yield tell
        else:
            self._tell(f"{announced} ...")
            yield lambda _: None
        self._tell(f"{what}: {_spoken(time.monotonic() - started)}")

    @contextmanager
    def _spinner(self, announced: str) -> Iterator[Tell]:
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
        with Bar(*columns, TimeElapsedColumn(), console=self._console, transient=True) as bar:
            task = bar.add_task(announced, total=None)
            yield lambda detail: bar.update(task, description=f"{announced}: {detail}")


def _spoken(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
