"""What containers print: written with the time of each line, read back for `kubectl logs`.

The files have the form that the kubelet's have, `<time> stdout F <line>`; a container's two
streams are one here, so that their order is kept.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

_TAG = b" stdout F "
_FOLLOW_SECONDS = 0.25
_LONGEST_LINE = 16384
"""Bytes after which a line is cut, as container runtimes do."""

MESSAGE_LINES = 80
MESSAGE_BYTES = 2048
"""How much of a log's end becomes a termination message; the kubelet's figures."""


class LogWriter:
    """The log file of one run of a container."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Make the file, and the folder it is in."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb", buffering=0)
        self._clock = clock
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Write the lines that are complete; keep the rest until its end comes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        if lines:
            stamp = _stamp(self._clock())
            self._file.write(b"".join(stamp + _TAG + line + b"\n" for line in lines))

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._rest:
            self.write(b"\n")
        self._file.close()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which lines of a log are wanted, and how."""

    tail: int | None = None
    """Only so many lines from the end."""
    since: float | None = None
    """Only lines from this time on, in UNIX seconds."""
    timestamps: bool = False
    """Whether each line starts with its time."""

    def of(self, raw: bytes) -> bytes:
        """Return the wanted part of whole lines of a log file."""
        lines = raw.splitlines(keepends=True)
        if self.since is not None:
            since = _stamp(self.since)
            lines = [line for line in lines if line.partition(b" ")[0] >= since]
        if self.tail is not None:
            lines = lines[-self.tail :] if self.tail else []
        return b"".join(self._shown(line) for line in lines)

    def _shown(self, line: bytes) -> bytes:
        time, _, text = line.partition(_TAG)
        return time + b" " + text if self.timestamps else text


async def read(
    path: Path, selection: Selection, *, follow: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield the wanted lines, and for as long as `follow` says so those that are added."""
    with path.open("rb") as file:
        yield selection.of(file.read())
        after = Selection(timestamps=selection.timestamps)
        rest = b""
        going_on = follow()
        while going_on:
            await asyncio.sleep(_FOLLOW_SECONDS)
            # Asked before the reading: what was written until the end is still read.
            going_on = follow()
            complete, newline, rest = (rest + file.read()).rpartition(b"\n")
            if newline:
                yield after.of(complete + newline)


def end_of(path: Path) -> str:
    """Return the end of a log as a termination message."""
    lines = Selection(tail=MESSAGE_LINES).of(path.read_bytes())
    return lines[-MESSAGE_BYTES:].decode(errors="replace")


def _stamp(seconds: float) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
