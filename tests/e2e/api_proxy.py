"""The way from the operator to the API server, on which a test sees every write as it passes."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import urlsplit

from typing_extensions import override

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_CHUNK = 65536
_OF_THE_CONNECTION = frozenset({"host", "connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Write:
    """What the operator asks the API server to change."""

    method: str
    resource: str
    """The plural, and the subresource if there is one: ``modeldeployments/status``."""
    name: str
    body: dict[str, Any]


class Guard(Protocol):
    """Decides over the writes that pass."""

    def admit(self, write: Write) -> bool:
        """Tell whether a write may go on; one that may not is never answered."""

    def done(self, write: Write) -> bool:
        """Hear of a write that the API server has carried out; tell whether to answer it."""


@contextmanager
def proxy_api_server(server: str, guard: Guard) -> Iterator[str]:
    """Open a way to the API server at the URL ``server``; give the URL to come in by."""
    target = urlsplit(server)
    with _Way(("127.0.0.1", 0), _Passage) as opened:
        opened.guard = guard
        opened.target = (target.hostname or "", target.port or 443)
        thread = threading.Thread(target=opened.serve_forever, name="way")
        thread.start()
        yield f"http://127.0.0.1:{opened.server_address[1]}"
        opened.shutdown()
        opened.hang_up()
        thread.join()


class _Way(ThreadingHTTPServer):
    guard: Guard
    target: tuple[str, int]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    @contextmanager
    def connected(self) -> Iterator[HTTPSConnection]:
        """Connect to the API server, in a way that `hang_up` can end."""
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        with closing(HTTPSConnection(*self.target, context=trusting)) as connection:
            connection.connect()
            self._open.add(connection.sock)
            try:
                yield connection
            finally:
                self._open.discard(connection.sock)

    def hang_up(self) -> None:
        """End every watch."""
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @override
    def handle_error(self, *_: Any) -> None:
        """Bear with an operator that was killed while it was answered."""


class _Passage(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Way

    def _carry(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        write = _read(self.command, self.path, body)
        self.close_connection = True
        if write and not self.server.guard.admit(write):
            return
        with self.server.connected() as connection:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _OF_THE_CONNECTION
            }
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            if write and response.status < 300 and not self.server.guard.done(write):
                return
            self._answer(response)

    def _answer(self, response: HTTPResponse) -> None:
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while piece := response.read1(_CHUNK):
            self.wfile.write(piece)
            self.wfile.flush()

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Carry whatever the method is: the base class asks for ``do_GET`` and the like."""
        if name.startswith("do_"):
            return self._carry
        raise AttributeError(name)

    @override
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _read(method: str, path: str, body: bytes) -> Write | None:
    """Read a write of a namespaced object; None for whatever else is asked."""
    words = urlsplit(path).path.split("/")
    if method not in _WRITES or "namespaces" not in words:
        return None
    plural, *rest = words[words.index("namespaces") + 2 :]
    name, *subresource = rest or [""]
    found = json.loads(body) if body else {}
    return Write(method, "/".join((plural, *subresource)), name, found)
