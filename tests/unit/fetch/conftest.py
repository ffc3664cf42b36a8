"""A real HTTPS server with a certificate that only our own CA vouches for."""

import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from halimede.settings import Credentials

TLS = Path(__file__).parent / "tls"
TRUSTED = Credentials.from_env({"HALIMEDE_FETCH_ca.crt": (TLS / "ca.pem").read_text()})
"""No credentials, but trust in the server's CA, as a Secret with the key `ca.crt` gives it."""


@dataclass
class Site:
    """What the server serves, and what it was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    authorization: str | None = None
    """What requests must bring; None: nothing."""
    cut: bool = False
    """Close the connection in the middle."""
    seen: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and authorization of each request."""


class _Server(ThreadingHTTPServer):
    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: refused handshakes are wanted."""


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            given = self.headers.get("Authorization")
            site.seen.append((path, given))
            if path in site.redirects:
                self.send_response(302)
                self.send_header("Location", site.redirects[path])
                self.end_headers()
            elif site.authorization and given != site.authorization:
                self.send_error(401)
            elif path not in site.files:
                self.send_error(404)
            else:
                self._send(site.files[path])

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if site.cut else body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _serve() -> Iterator[Site]:
    site = Site()
    server = _Server(("127.0.0.1", 0), _handler(site))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve what the test puts in."""
    yield from _serve()


@pytest.fixture
def elsewhere() -> Iterator[Site]:
    """Serve on another port: another server."""
    yield from _serve()
