"""Waits of the local cluster and their errors on timeout."""

from pathlib import Path

import pytest

from localcluster.waiting import GaveUpError, show_end, wait_until


def test_a_wait_that_gives_up_shows_the_last_answer_and_the_explanation() -> None:
    """The error has what was awaited, the time, and the last answer."""
    answers = iter(["no node", *["not Ready"] * 10_000])
    with pytest.raises(GaveUpError) as caught:
        wait_until("a Ready node", lambda: next(answers), 0.1, lambda: "the log")
    assert str(caught.value) == (
        "timed out after 0.1 s waiting for a Ready node; last seen: not Ready\nthe log"
    )


def test_the_end_of_a_log_is_shown(tmp_path: Path) -> None:
    """The result is the last lines, or that there are none, or why they cannot be read."""
    log = tmp_path / "x.log"
    log.write_text("\n".join(map(str, range(100))))
    assert show_end(log).splitlines()[0] == f"The end of {log}:"
    assert show_end(log).splitlines()[-1] == "    99"
    assert "No such file or directory" in show_end(tmp_path / "gone.log")
