"""Container logs: written with the time of each line, read for `kubectl logs`.

The files have the kubelet's format, `<time> stdout F <line>`; a container's two
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
"""Bytes after which a line is cut, as in container runtimes."""

MESSAGE_LINES = 80
MESSAGE_BYTES = 2048
"""The end of a log that becomes a termination message; the kubelet's limits."""


class LogWriter:
    """The log file of one run of a container."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Create the file and its folder."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("wb", buffering=0)
        self._clock = clock
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Write the complete lines; keep the rest until its end arrives."""
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
    """Which lines of a log to return, and in which form."""

    tail: int | None = None
    """Only this number of lines from the end."""
    since: float | None = None
    """Only lines from this time on, in UNIX seconds."""
    timestamps: bool = False
    """Whether each line starts with its time."""

    def of(self, raw: bytes) -> bytes:
        """Return the selected part of complete lines of a log file."""
        lines = raw.splitlines(keepends=True)
        if self.since is not None:
            since = _stamp(self.since)
            lines = [line for line in lines if line.partition(b" ")[0] >= since]
        if self.tail is not None:
            lines = lines[-self.tail :] if self.tail else []
        return b"".join(self._format(line) for line in lines)

    def _format(self, line: bytes) -> bytes:
        time, _, text = line.partition(_TAG)
        return time + b" " + text if self.timestamps else text


async def read(
    path: Path, selection: Selection, *, follow: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield the selected lines, then the added ones for as long as `follow` returns True."""
    with path.open("rb") as file:
        yield selection.of(file.read())
        after = Selection(timestamps=selection.timestamps)
        rest = b""
        is_following = follow()
        while is_following:
            await asyncio.sleep(_FOLLOW_SECONDS)
            # Called before the read, so that what was written until the end is still read.
            is_following = follow()
            complete, newline, rest = (rest + file.read()).rpartition(b"\n")
            if newline:
                yield after.of(complete + newline)


def end_of(path: Path) -> str:
    """Return the end of a log as a termination message."""
    lines = Selection(tail=MESSAGE_LINES).of(path.read_bytes())
    return lines[-MESSAGE_BYTES:].decode(errors="replace")


def _stamp(seconds: float) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
