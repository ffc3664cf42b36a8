"""The load: its rate, its end, and its end with the parent process."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.load import Load
from harness.records import Outcome, Tally
from tests.demo.plans import to_nobody
from tests.demo.triton_server import Server
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]


def test_it_sends_at_its_rate_over_both_protocols(
    serve: Callable[[str], Server], tmp_path: Path
) -> None:
    """Three seconds at 50/s are 150 requests, of which two in five are gRPC batches."""
    server = serve("v2")
    assert server.ready(), server.log.read_text()
    plan = to_nobody(tmp_path / "requests.jsonl", seconds=3)
    load = Load(replace(plan, http=server.http, grpc=server.grpc))
    load.start()
    try:
        wait_until(lambda: load.running, lambda running: not running)
    finally:
        load.stop()
    tally = Tally.of(load.journal.records)
    assert (tally.requests, tally.lost, tally.model_errors) == (150, 0, 0)
    assert 40 <= tally.grpc <= 80
    assert tally.images == tally.http + 4 * tally.grpc
    assert tally.accuracy > 0.95
    sent = [record.at for record in load.journal.records]
    assert 2.5 < max(sent) - min(sent) < 4.5


def test_a_stop_request_ends_it(tmp_path: Path) -> None:
    """A stopped load ends, and every line of its record is complete."""
    load = Load(to_nobody(tmp_path / "requests.jsonl", seconds=300))
    load.start()
    wait_until(load.journal.catch_up)
    load.stop()
    assert not load.running
    assert {one.outcome for one in load.journal.records} == {Outcome.LOST}


def test_it_ends_with_a_director_that_is_killed(tmp_path: Path) -> None:
    """After kill -9 of the parent process, the load ends."""
    records = tmp_path / "requests.jsonl"
    program = [sys.executable, "-m", "tests.demo.director", str(records)]
    with subprocess.Popen(program, cwd=ROOT) as director:
        try:
            wait_until(lambda: records.exists() and records.stat().st_size)
        finally:
            director.kill()
    load = int((tmp_path / "pid").read_text())
    wait_until(lambda: _lives(load), lambda lives: not lives)


def _lives(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
