"""A proxy between the operator and the API server that shows each write to a test."""

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
_HOP_BY_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Write:
    """What the operator asks the API server to change."""

    method: str
    resource: str
    """The plural, and the subresource if there is one: ``modeldeployments/status``."""
    name: str
    body: dict[str, Any]


class Guard(Protocol):
    """Decides which writes pass."""

    def admit(self, write: Write) -> bool:
        """Return whether to forward a write; a rejected one gets no response."""

    def done(self, write: Write) -> bool:
        """Return whether to send the response of a write that the API server has executed."""


@contextmanager
def proxy_api_server(server: str, guard: Guard) -> Iterator[str]:
    """Start a proxy for the API server at the URL ``server``; yield the proxy's URL."""
    target = urlsplit(server)
    with _ProxyServer(("127.0.0.1", 0), _ProxyHandler) as proxy:
        proxy.guard = guard
        proxy.target = (target.hostname or "", target.port or 443)
        thread = threading.Thread(target=proxy.serve_forever, name="proxy")
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()
        proxy.hang_up()
        thread.join()


class _ProxyServer(ThreadingHTTPServer):
    guard: Guard
    target: tuple[str, int]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    @contextmanager
    def connected(self) -> Iterator[HTTPSConnection]:
        """Connect to the API server; `hang_up` can end the connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with closing(HTTPSConnection(*self.target, context=context)) as connection:
            connection.connect()
            self._open.add(connection.sock)
            try:
                yield connection
            finally:
                self._open.discard(connection.sock)

    def hang_up(self) -> None:
        """End every watch."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @override
    def handle_error(self, *_: Any) -> None:
        """Ignore errors of an operator that was killed during a response."""


class _ProxyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _ProxyServer

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        write = _read(self.command, self.path, body)
        self.close_connection = True
        if write and not self.server.guard.admit(write):
            return
        with self.server.connected() as connection:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in _HOP_BY_HOP
            }
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            if write and response.status < 300 and not self.server.guard.done(write):
                return
            self._answer(response)

    def _answer(self, response: HTTPResponse) -> None:
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while piece := response.read1(_CHUNK):
            self.wfile.write(piece)
            self.wfile.flush()

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Forward every method: the base class looks up ``do_GET`` and the like."""
        if name.startswith("do_"):
            return self._forward
        raise AttributeError(name)

    @override
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _read(method: str, path: str, body: bytes) -> Write | None:
    """Return the write of a namespaced object, or None for any other request."""
    words = urlsplit(path).path.split("/")
    if method not in _WRITES or "namespaces" not in words:
        return None
    plural, *rest = words[words.index("namespaces") + 2 :]
    name, *subresource = rest or [""]
    content = json.loads(body) if body else {}
    return Write(method, "/".join((plural, *subresource)), name, content)
