"""Show the story as it happens: narration and claims scroll, a dashboard stays below."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from demo.dashboard import Dashboard
from demo.stage import Stage
from harness.watch import Snapshot

STYLES = {"●": "bold cyan", "→": "bold", "✓": "green", "✗": "bold red", "·": "dim"}
"""How a line looks, by its first character."""


class Screen:
    """Shows the story on a terminal, or line by line in a file or a pipe."""

    def __init__(self, console: Console) -> None:
        """Write to ``console``; the clock that each line shows starts now."""
        self.console = console
        self._began = time.monotonic()

    def tell(self, line: str) -> None:
        """Print one line of the story, with its time."""
        if line.startswith("●"):
            self.console.print()
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        text = Text.assemble((f"{minutes}:{seconds:02} ", "dim"))
        text.append(line, style=STYLES.get(line[:1], ""))
        self.console.print(text, soft_wrap=not self.console.is_terminal)

    @contextmanager
    def showing(self, stage: Stage) -> Iterator[None]:
        """Keep the dashboard of ``stage`` at the bottom of the terminal during the block."""
        dashboard = Dashboard(stage)
        if not self.console.is_terminal:
            stage.watch.listener = self._changes(dashboard)
            yield
            return
        with Live(
            get_renderable=dashboard.render,
            console=self.console,
            refresh_per_second=2,
            transient=True,
        ):
            yield

    def _changes(self, dashboard: Dashboard) -> Callable[[Snapshot], None]:
        """Return a listener that prints each line that differs from the one before."""
        last = ""

        def tell(seen: Snapshot) -> None:
            nonlocal last
            if (line := dashboard.line(seen)) != last:
                last = line
                self.tell(f"· {line}")

        return tell
