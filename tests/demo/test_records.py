import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from harness.records import Journal, Outcome, Protocol, Record, Tally, by_version

GOOD = Record(
    at=1.5,
    protocol=Protocol.HTTP,
    outcome=Outcome.OK,
    status="200",
    milliseconds=3.25,
    version="v1",
    revision="a1b2c3d4",
    images=1,
    right=1,
)
BAD = replace(
    GOOD,
    protocol=Protocol.GRPC,
    outcome=Outcome.MODEL_ERROR,
    status="INTERNAL",
    version="v3",
    images=4,
    right=0,
    detail='v3: "overflow"\n',
)
LOST = replace(BAD, outcome=Outcome.LOST, status="UNAVAILABLE", version="", detail="")


def test_a_record_survives_its_line() -> None:
    """A record written as a line is read back equal, whatever its text."""
    for record in (GOOD, BAD, LOST):
        assert "\n" not in record.line()
        assert Record.parse(record.line()) == record


def test_a_journal_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    """A reader during a write gets the record once, when it is complete."""
    path = tmp_path / "requests.jsonl"
    journal = Journal(path)
    assert journal.catch_up() == []
    line = BAD.line() + "\n"
    path.write_text(GOOD.line() + "\n" + line[:20])
    assert journal.catch_up() == [GOOD]
    assert journal.catch_up() == []
    with path.open("a") as file:
        file.write(line[20:])
    assert journal.catch_up() == [BAD]
    assert journal.records == [GOOD, BAD]


def test_a_line_that_is_completed_during_the_read_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a write between two reads of the end, the rest is not taken for a line."""
    path = tmp_path / "requests.jsonl"
    line = f"{GOOD.line()}\n".encode()
    path.write_bytes(line)

    class Growing(BytesIO):
        def __next__(self) -> bytes:
            whole = super().__next__()
            self.seek(-len(whole) + 20, os.SEEK_CUR)
            return whole[:20]

    journal = Journal(path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda *_: Growing(line))
        assert journal.catch_up() == []
    assert journal.catch_up() == [GOOD]


def test_a_tally_counts_images_of_answered_requests_only() -> None:
    """Accuracy counts only responses; errors and lost requests are separate."""
    wrong = replace(GOOD, right=0)
    assert Tally.of([GOOD, wrong, BAD, LOST]) == Tally(
        requests=4, http=2, grpc=2, model_errors=1, lost=1, images=2, right=1
    )
    assert Tally.of([GOOD, wrong]).accuracy == 0.5
    assert Tally.of([]).accuracy == 0.0


def test_requests_without_a_response_belong_to_no_version() -> None:
    """Lost requests are counted under the empty version."""
    counts = {name: tally.requests for name, tally in by_version([BAD, LOST, GOOD, GOOD]).items()}
    assert counts == {"": 1, "v1": 2, "v3": 1}
