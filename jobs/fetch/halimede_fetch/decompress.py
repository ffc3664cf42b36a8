"""Decompress gzip, bzip2 and xz as a stream, in bounded memory, to the end and its checksum."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Protocol

from halimede_fetch.limits import CHUNK, Budget

MAX_XZ_MEMORY = 256 << 20
"""Memory for xz: its own strongest preset needs 65 MiB, but a file can demand 4 GiB."""
ERRORS = (zlib.error, lzma.LZMAError, EOFError, OSError)
"""What `decompress` raises for damaged data."""


class _Decoder(Protocol):
    """A decompressor of the standard library, for one stream."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the interface of the other two."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _xz() -> _Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)


_FORMATS: dict[bytes, Callable[[], _Decoder]] = {
    b"\x1f\x8b": _Gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\0": _xz,
}
"""The first bytes of each format."""


def decompress(file: IO[bytes], budget: Budget) -> Iterator[bytes]:
    """Yield the content of *file*, at most `CHUNK` bytes at a time, while *budget* has time left.

    The content decides about the format; data in none of them is yielded as it is. All checksums
    are verified once the last chunk has been read.

    Raises:
        FetchError: The time is over.
        *ERRORS: The data is damaged or ends too early.
    """
    start = file.read(max(map(len, _FORMATS)))
    file.seek(0)
    new = next((new for magic, new in _FORMATS.items() if start.startswith(magic)), None)
    for chunk in iter(lambda: file.read(CHUNK), b"") if new is None else _decode(file, new):
        budget.seconds_left()
        yield chunk


def _decode(file: IO[bytes], new: Callable[[], _Decoder]) -> Iterator[bytes]:
    """Yield the content of one or more streams after each other; chunks may be empty."""
    data = file.read(CHUNK)
    while data:
        decoder = new()
        while not decoder.eof:
            chunk = decoder.decompress(data, CHUNK)
            data = b""
            yield chunk
            if decoder.needs_input and not decoder.eof:
                data = file.read(CHUNK)
                if not data and not chunk:
                    raise EOFError("the compressed data ends too early")
        data = _without_padding(decoder.unused_data, file)


def _without_padding(data: bytes, file: IO[bytes]) -> bytes:
    """Skip zero bytes, with which tapes and gzip pad a stream."""
    while not (data := data.lstrip(b"\0")):
        if not (data := file.read(CHUNK)):
            break
    return data
