"""The start of processes, and the errors of failed ones."""

import socket
from pathlib import Path

import pytest

from localcluster.processes import Command, Processes, StartError, answers, nothing_missing


def test_a_process_that_ends_at_once_shows_its_last_words(tmp_path: Path) -> None:
    """The error has the process, its exit status, its log file and the log's end."""
    broken = Command("broken", ["sh", "-c", "echo no such disk; exit 3"], lambda: "silent")
    with pytest.raises(StartError) as caught:
        Processes(tmp_path).start(broken)
    assert str(caught.value) == (
        f"broken exited with status 3. The end of {tmp_path / 'broken.log'}:\n    no such disk"
    )


def test_a_process_that_never_responds_times_out(tmp_path: Path) -> None:
    """A process that runs but does not serve is an error after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    mute = Command("mute", ["sleep", "2"], answers(url), patience=0.2)
    with pytest.raises(
        StartError,
        match=r"timed out after 0.2 s waiting for mute's answer; .*refused.*\n.*\n.*no output",
    ):
        Processes(tmp_path).start(mute)


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """A program that is missing is an error that names it."""
    with pytest.raises(StartError, match="no-such-program"):
        Processes(tmp_path).start(Command("gone", ["no-such-program"], nothing_missing))
