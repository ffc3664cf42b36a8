import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from demo.picture import rollouts
from demo.summary import Decision, decisions, table
from halimede.api.status import Outcome
from harness.records import Outcome as Fate
from harness.records import Protocol, Record
from harness.watch import weights_of
from tests.demo.histories import HISTORY, REVISIONS, START, V2, V3, settled

GOOD = Record(START, Protocol.HTTP, Fate.OK, "200", 3.0, "v1", "", 1, 1)
BAD = replace(GOOD, at=START + 55, outcome=Fate.MODEL_ERROR, status="500", version="v3", right=0)
LOST = replace(GOOD, at=START + 56, outcome=Fate.LOST, status="503", version="", right=0)
RECORDS = [GOOD, replace(GOOD, at=START + 30, version="v2"), BAD, LOST]


def test_weights_are_listed_once_per_change() -> None:
    """A weight that stays over several states is one weight."""
    assert weights_of(HISTORY, V2) == [0, 10, 60, 100]
    assert weights_of(HISTORY, V3) == [10]


def test_a_decision_takes_from_the_first_traffic_to_the_verdict() -> None:
    """The time to a decision excludes the start of pods."""
    assert decisions(HISTORY, REVISIONS) == {
        "v2": Decision(Outcome.PROMOTED, "Because", seconds=23.0, at=START + 38),
        "v3": Decision(Outcome.ABORTED, "Because", seconds=8.0, at=START + 58),
    }


def test_without_traffic_a_decision_takes_from_the_start() -> None:
    """A revision that never got a request is timed from the start of its rollout."""
    result = decisions([settled(START + 60, V2, V3, "Aborted")], REVISIONS)
    assert result["v3"].seconds == 28.0


def test_the_table_has_a_row_per_version_and_one_for_what_was_lost() -> None:
    """Errors are in their version's row; lost requests have their own."""
    page = io.StringIO()
    drawn = table(["v1", "v3"], RECORDS, decisions(HISTORY, REVISIONS))
    Console(file=page, width=120).print(drawn)
    rows = [line.split() for line in page.getvalue().splitlines() if line.strip()]
    assert {row[0]: row[1:5] for row in rows if row[0] in {"v1", "v3", "lost"}} == {
        "v1": ["1", "1", "0", "0"],
        "v3": ["1", "1", "0", "1"],
        "lost": ["1", "1", "0", "1"],
    }


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    """A PNG and an SVG are written, with the outcome of every version."""
    figure = rollouts(HISTORY, RECORDS, REVISIONS)
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert said == ["v2 promoted\nafter 23 s", "v3 aborted\nafter 8 s"]
    for name, first_bytes in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml")):
        figure.savefig(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(first_bytes)
