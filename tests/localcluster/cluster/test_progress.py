"""Progress: a running step is reported repeatedly, and then its success or failure."""

import io
import sys
import threading

import pytest
from typing_extensions import override

from localcluster.progress import Progress


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    @override
    def isatty(self) -> bool:
        return True


def test_a_long_step_is_reported_with_its_time_and_detail() -> None:
    """A pipe gets a line at the start, lines during the step, and one at its end."""
    lines: list[str] = []
    reported = threading.Event()

    def tell(line: str) -> None:
        lines.append(line)
        if "so far, etcd" in line:
            reported.set()

    with Progress(tell, report_seconds=0.01).step("Starting", expected="about 5 s") as detail:
        detail("etcd")
        assert reported.wait(20)
    assert lines[0] == "Starting (about 5 s) ..."
    assert lines[-1].startswith("Starting: ")
    assert "failed" not in lines[-1]


def test_failed_step_is_reported() -> None:
    """The last line of a failed step says so."""
    lines: list[str] = []
    with pytest.raises(ValueError, match="full"), Progress(lines.append).step("Building"):
        raise ValueError("full")
    assert lines[-1].startswith("Building: failed after ")


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal's line is replaced during the step; at the end its time stays."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress().step("Building", expected="about 2 min"):
        pass
    first, *shown, last = terminal.getvalue().split("\r\x1b[K")
    assert first == ""
    assert {line.rpartition(": ")[0] for line in shown} == {"Building (about 2 min)"}
    assert last.startswith("Building: ")
    assert last.endswith(" s\n")
