"""TLS connections that a slow server cannot keep open.

The time-out of a socket limits only one read: a server that sends a byte a minute could keep the
client in a header, a chunk or a trailer for ever. Everything that arrives passes `recv_into`.
"""

import ssl
import time
from dataclasses import dataclass, field

from typing_extensions import Buffer, override

from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.limits import Budget
from halimede_fetch.patience import Patience

MAX_UNREAD = 1 << 20
"""How many bytes may arrive before `limits.CHUNK` bytes of the file are known. The smallest chunks
of HTTP need six bytes for each byte of the file."""


@dataclass(slots=True)
class Pace:
    """Measures how fast one response arrives."""

    budget: Budget
    patience: Patience
    last: int | None = field(init=False, default=None)
    """The last byte that arrived."""
    ended: bool = field(init=False, default=False)
    """Whether the server closed a connection while more was expected."""
    _window_ends: float | None = field(init=False, default=None)
    _received: int = field(init=False, default=0)
    _unread: int = field(init=False, default=0)

    def start(self) -> None:
        """Demand the minimum rate from now on."""
        self._received = self._unread = 0
        self._window_ends = time.monotonic() + self.patience.window_seconds

    def progress(self) -> None:
        """Account for a part of the file that was read."""
        self._unread = 0

    def timeout(self) -> float:
        """Return how long to wait for the next bytes, in seconds."""
        return min(self.patience.silence_seconds, self.budget.seconds_left())

    def add(self, size: int) -> None:
        """Account for *size* bytes that arrived.

        Raises:
            TransientFetchError: The server is too slow.
            FetchError: What arrives is no part of the file.
        """
        self._received += size
        self._unread += size
        if self._window_ends is None:
            return
        if self._unread > MAX_UNREAD:
            # `http.client` reads a chunk of a negative size to the end, into memory.
            raise FetchError(
                f"the server sent more than {MAX_UNREAD} bytes (1 MiB) that are no part of the"
                " file: correct the server"
            )
        if time.monotonic() < self._window_ends:
            return
        if self._received < self.patience.window_bytes:
            raise TransientFetchError(
                f"the server is too slow: it sent {self._received} bytes in"
                f" {self.patience.window_seconds:g} s, less than {self.patience.window_bytes}"
            )
        self.start()


def timed_context(ca: str | None, pace: Pace) -> ssl.SSLContext:
    """Return the default TLS settings, with *ca* trusted as well, for connections kept in *pace*.

    Raises:
        OSError, TypeError, ValueError: *ca* contains no certificates.
    """
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cadata=ca)
    context.sslsocket_class = _timed(pace)
    return context


def _timed(pace: Pace) -> type[ssl.SSLSocket]:
    class TimedSocket(ssl.SSLSocket):
        @override
        def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int:
            if (timeout := pace.timeout()) != self.gettimeout():
                self.settimeout(timeout)  # only then: it is a system call
            size = super().recv_into(buffer, nbytes, flags)
            pace.add(size)
            if size:
                pace.last = memoryview(buffer)[size - 1]
            else:
                pace.ended = True
            return size

    return TimedSocket
