"""A file on a server that supports ranges as RFC 9110 describes them, and its faults."""

import http.client
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

STRONG = '"v1"'


@dataclass(frozen=True)
class Turn:
    """How the server responds to one request; without arguments as RFC 9110 demands."""

    cut: int | None = None
    """Close the connection after so many bytes of the body."""
    status: int | None = None
    """Respond with this status, without a body."""
    content: bytes | None = None
    """The content changes before the response."""
    etag: str | None = None
    """The ETag changes before the response."""
    ignores_range: bool = False
    ignores_condition: bool = False
    """Send the range also of another version."""
    earlier: int = 0
    """How many bytes before the requested start the range begins."""
    content_range: str | None = None
    """Sent instead of the right Content-Range; empty: it is left out."""
    part_etag: str | None = None
    """Sent instead of the right ETag with a 206; empty: it is left out."""
    shorter: int = 0
    """How many bytes of the requested range are left out at its end."""
    redirect: str | None = None
    """Redirect to this address."""
    headers: tuple[str, ...] = ()
    """Further lines of the head."""
    length: bool = True
    """Whether the head has a Content-Length."""
    drips: bool = False
    """Send one byte every 10 ms instead of the body, without end."""


GOOD = Turn()


@dataclass
class Resource:
    """A file at one path."""

    content: bytes
    etag: str | None = STRONG
    turns: list[Turn] = field(default_factory=list)
    """One for each request; further requests get the right response."""

    def respond(self, headers: Mapping[str, str | None]) -> tuple[bytes, bool]:
        """Return the response to the next request, and whether it drips on."""
        turn = self.turns.pop(0) if self.turns else GOOD
        self.content = self.content if turn.content is None else turn.content
        self.etag = self.etag if turn.etag is None else turn.etag
        if turn.redirect is not None:
            return _head(302, f"Location: {turn.redirect}", "Content-Length: 0"), False
        if turn.status is not None:
            return _head(turn.status, "Retry-After: 0", "Content-Length: 0"), False
        start = self._start(turn, headers)
        if start is not None and start >= len(self.content):
            return _head(416, f"Content-Range: bytes */{len(self.content)}"), False
        head, body = self._whole(turn) if start is None else self._part(turn, start)
        return (head, True) if turn.drips else (head + body[: turn.cut], False)

    def _start(self, turn: Turn, headers: Mapping[str, str | None]) -> int | None:
        """Return the start of the requested range, if it is to be sent."""
        requested = re.fullmatch(r"bytes=(\d+)-", headers.get("Range") or "")
        condition = headers.get("If-Range")
        strong = self.etag is not None and not self.etag.startswith("W/")
        holds = condition is None or (strong and condition == self.etag) or turn.ignores_condition
        if not requested or not holds or turn.ignores_range:
            return None
        return max(0, int(requested[1]) - turn.earlier)

    def _whole(self, turn: Turn) -> tuple[bytes, bytes]:
        lines = [f"ETag: {self.etag}"] if self.etag else []
        length = [f"Content-Length: {len(self.content)}"] if turn.length else []
        return _head(200, *lines, *length, *turn.headers), self.content

    def _part(self, turn: Turn, start: int) -> tuple[bytes, bytes]:
        body = self.content[start : len(self.content) - turn.shorter]
        right = f"bytes {start}-{start + len(body) - 1}/{len(self.content)}"
        sent = right if turn.content_range is None else turn.content_range
        etag = self.etag if turn.part_etag is None else turn.part_etag
        lines = [f"Content-Range: {sent}"] if sent else []
        lines += [f"ETag: {etag}"] if etag else []
        lines += [f"Content-Length: {len(body)}"] if turn.length else []
        return _head(206, *lines, *turn.headers), body


def _head(status: int, *lines: str) -> bytes:
    reason = http.client.responses.get(status, "X")
    return "\r\n".join((f"HTTP/1.1 {status} {reason}", *lines, "", "")).encode("latin-1")
