"""What the head of a response says about the bytes that follow.

No text that the server chose becomes part of a message: it might repeat the credentials.
"""

import http.client
import re
from dataclasses import dataclass
from email.errors import MissingHeaderBodySeparatorDefect
from http import HTTPStatus

from halimede_fetch import names
from halimede_fetch.errors import FetchError

_STRONG_ETAG = re.compile(r'"[!#-~]*"')
"""RFC 9110, section 8.8.3, without characters that are not ASCII."""
_LENGTH = re.compile(r"[0-9]+[ \t]*")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a file on a server, whose rest can be requested.

    The bytes are the same as long as the strong ETag is (RFC 9110, section 8.8.1). Weak ETags and
    dates can stay the same when bytes change, so they are not used.
    """

    etag: str
    size: int
    address: str
    """After redirects: the same ETag at another address can stand for other bytes."""


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a file, which has been written."""

    version: Version
    size: int

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest, or for the whole file if it has changed."""
        return {"Range": f"bytes={self.size}-", "If-Range": self.version.etag}


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes of the file a response contains."""

    start: int
    stop: int | None
    """The position after the last byte; None: the response shows its end in another way."""
    size: int | None
    """The size of the file."""


def version_of(answer: http.client.HTTPResponse) -> Version | None:
    """Return the version that a complete response contains; None: its rest cannot be requested."""
    etags = answer.headers.get_all("ETag", [])
    if answer.length is None or len(etags) != 1 or not _STRONG_ETAG.fullmatch(etags[0]):
        return None
    return Version(etags[0], answer.length, answer.url)


def whole(answer: http.client.HTTPResponse, where: str, *, verified: bool) -> Span:
    """Return the span of a complete response; *where* is the address for messages.

    Raises:
        FetchError: The response does not show its end, and its digest will not be *verified*.
    """
    if answer.length is None and not answer.chunked and not verified:
        raise FetchError(
            f"{where}: the server does not state the size of the file, so a part of it could"
            " be taken for the whole: set spec.model.sha256"
        )
    return Span(0, answer.length, answer.length)


def rest(answer: http.client.HTTPResponse, where: str, part: Part) -> Span:
    """Return the span of a 206 that continues *part*; the server may send less than the rest.

    Raises:
        FetchError: It does not continue *part*.
    """
    size = part.version.size
    ranges = {value.strip() for value in answer.headers.get_all("Content-Range", [])}
    found = _CONTENT_RANGE.fullmatch(ranges.pop()) if len(ranges) == 1 else None
    start, last, total = map(int, found.groups()) if found else (-1, -1, -1)
    continues = (start, total) == (part.size, size) and start <= last < size
    same = answer.headers.get_all("ETag", [part.version.etag]) == [part.version.etag]
    if not continues or not same or answer.length not in {None, last + 1 - start}:
        code = HTTPStatus.PARTIAL_CONTENT
        raise FetchError(
            f"{where}: the server responded with {code} {code.phrase}, but not with the bytes from"
            f" {part.size} on of the same file of {size} bytes: correct the server"
        )
    return Span(start, last + 1, size)


def check_end(answer: http.client.HTTPResponse, where: str) -> None:
    """Check that all programs that read the response see its end at the same byte.

    `http.client` uses the first of several lengths, reads `1_0` as 10, and ignores all headers
    after a line that is none.

    Raises:
        FetchError: The head is ambiguous, so that other bytes could be taken for the file.
    """
    lengths = set(answer.headers.get_all("Content-Length", []))
    numbers = all(_LENGTH.fullmatch(length) for length in lengths)
    lost = any(isinstance(one, MissingHeaderBodySeparatorDefect) for one in answer.headers.defects)
    if len(lengths) > 1 or not numbers or lost:
        raise FetchError(
            f"{where}: the server's response is not valid HTTP: it has several lengths, a length"
            " that is no number, or a line that is no header: correct the server"
        )


def check_encoding(answer: http.client.HTTPResponse, where: str, name: str) -> None:
    """Check that the bytes that arrive are those of the file called *name*.

    Some servers declare the compression of a `.tar.gz` as an encoding. If such a file is really
    encoded once more, it cannot be unpacked.

    Raises:
        FetchError: The server has encoded them, although the request does not accept this.
    """
    gzip = ("gzip", "x-gzip") if names.is_gzipped_tar(name) else ()
    for header, accepted in (
        ("Content-Encoding", {"identity", *gzip}),
        # `http.client` decodes chunks only if it understands the header, and only once.
        ("Transfer-Encoding", {"chunked" if answer.chunked else "identity"}),
    ):
        values = ",".join(answer.headers.get_all(header, [])).lower().split(",")
        named = [value.strip() for value in values if value.strip()]
        if len(named) > 1 or not accepted.issuperset(named):
            raise FetchError(
                f"{where}: the server encodes the file ({header}), although the request does not"
                " accept that, so the bytes would not be those of the file: correct the server"
            )
