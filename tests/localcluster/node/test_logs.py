from pathlib import Path

from localcluster.node.logs import LogWriter, Selection, end_of, read


def written(path: Path, *pieces: bytes) -> Path:
    """Write pieces of output, one per second from second 10."""
    times = iter(range(10, 100))
    writer = LogWriter(path, lambda: float(next(times)))
    for piece in pieces:
        writer.write(piece)
    writer.close()
    return path


def test_lines_are_whole_however_they_were_written(tmp_path: Path) -> None:
    """A line gets its time when it is complete, or at the end of the output."""
    path = written(tmp_path / "new" / "0.log", b"one\ntw", b"o\nthr", b"ee")
    assert path.read_text() == (
        "1970-01-01T00:00:10.000000Z stdout F one\n"
        "1970-01-01T00:00:11.000000Z stdout F two\n"
        "1970-01-01T00:00:12.000000Z stdout F three\n"
    )


def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    """A line without an end is cut, so that it does not fill the node's memory."""
    path = written(tmp_path / "0.log", b"x" * 40000)
    assert Selection().of(path.read_bytes()) == b"x" * 40000 + b"\n"


def test_lines_are_chosen_as_kubectl_asks(tmp_path: Path) -> None:
    """Tail, since and timestamps work as documented for `kubectl logs`."""
    raw = written(tmp_path / "0.log", b"a\n", b"b\n", b"c\n").read_bytes()
    assert Selection().of(raw) == b"a\nb\nc\n"
    assert Selection(tail=2).of(raw) == b"b\nc\n"
    assert Selection(tail=0).of(raw) == b""
    assert Selection(since=11.0).of(raw) == b"b\nc\n"
    assert Selection(tail=1, timestamps=True).of(raw) == b"1970-01-01T00:00:12.000000Z c\n"


def test_the_end_of_a_log_becomes_a_message(tmp_path: Path) -> None:
    """The message has at most the last 80 lines and 2048 bytes."""
    many = b"".join(b"%d\n" % number for number in range(100))
    assert end_of(written(tmp_path / "0.log", many)).splitlines()[0] == "20"
    long = (b"y" * 3000) + b"\nend\n"
    assert end_of(written(tmp_path / "1.log", long)) == "y" * 2043 + "\nend\n"


async def test_what_is_written_before_the_end_is_still_read(tmp_path: Path) -> None:
    """Following ends with the container, and misses none of its lines."""
    path = tmp_path / "0.log"
    writer = LogWriter(path, lambda: 0.0)
    writer.write(b"first\n")
    asked = 0

    def runs() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            writer.write(b"last\n")
            writer.close()
        return asked < 2

    parts = [part async for part in read(path, Selection(), follow=runs)]
    assert b"".join(parts) == b"first\nlast\n"
