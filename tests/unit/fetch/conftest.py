"""A real HTTPS server with a certificate of our own CA."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from halimede_fetch.credentials import Credentials
from halimede_fetch.patience import Patience
from tests.support.fake_hub import Hub, serve
from tests.unit.fetch.cached import Cache, source_of
from tests.unit.fetch.resource import Resource

OVERHEAD = 6 * 4096
"""What a model of one file uses besides its content: the file, and folders of the fetcher."""
IMPATIENT = Patience(retry_seconds=0)
"""For tests of failures that would be waited for."""
TLS = Path(__file__).parent / "tls"
TRUSTED = Credentials(ca=(TLS / "ca.pem").read_text())
"""A Secret with only the server's CA in the key `ca.crt`."""


def mount_secret(folder: Path, keys: Mapping[str, str | bytes]) -> Path:
    """Write a volume with the keys of a Secret as the kubelet does; return its folder."""
    version = folder / "..2026_11_30_09_40_00.1234567890"
    version.mkdir(parents=True)
    (folder / "..data").symlink_to(version.name)
    for key, content in keys.items():
        (version / key).write_bytes(content if isinstance(content, bytes) else content.encode())
        (folder / key).symlink_to(f"..data/{key}")
    return folder


def published(folder: Path) -> dict[str, bytes]:
    """Return the files under a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class Site:
    """The server's files and the requests that it received."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    authorization: str | None = None
    """The required Authorization header. None: not required."""
    cut: bool = False
    """Close the connection during the response."""
    raw: dict[str, list[bytes]] = field(default_factory=dict)
    """Whole responses, each for one request; the last is repeated."""
    resources: dict[str, Resource] = field(default_factory=dict)
    """Files that support ranges, with faults."""
    slow: dict[str, bytes] = field(default_factory=dict)
    """The beginning of a response after which one byte follows every 10 ms, without end."""
    closed: threading.Event = field(default_factory=threading.Event)
    """Set when the test is over."""
    seen: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and authorization of each request."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request."""

    def asked(self, header: str) -> list[str | None]:
        """Return the value of a header in each request."""
        return [headers.get(header) for headers in self.headers]


class _Server(ThreadingHTTPServer):
    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: rejected handshakes are expected."""


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:  # noqa: C901  (one branch a setting)
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            given = self.headers.get("Authorization")
            site.seen.append((path, given))
            site.headers.append(dict(self.headers.items()))
            if path in site.raw:
                self._send_raw(site.raw[path])
            elif path in site.resources:
                start, drips = site.resources[path].respond(self.headers)
                if drips:
                    self._drip(start)
                else:
                    self._send_raw([start])
            elif path in site.slow:
                self._drip(site.slow[path])
            elif path in site.redirects:
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

        def _send_raw(self, answers: list[bytes]) -> None:
            with suppress(OSError):  # the client may have closed the connection
                self.wfile.write(answers.pop(0) if len(answers) > 1 else answers[0])

        def _drip(self, start: bytes) -> None:
            with suppress(OSError):  # the client closes the connection
                self.wfile.write(start)
                while not site.closed.wait(0.01):
                    self.wfile.write(b"x")

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    return Handler


@contextmanager
def serve_site() -> Iterator[Site]:
    """Serve during a with block what the caller adds."""
    site = Site()
    server = _Server(("127.0.0.1", 0), _handler(site))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        site.closed.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return an empty cache."""
    (tmp_path / "cache").mkdir()
    return Cache(tmp_path / "cache")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return the folder of a source."""
    return source_of(tmp_path / "source")


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve files that the test adds."""
    with serve_site() as served:
        yield served


@pytest.fixture
def elsewhere() -> Iterator[Site]:
    """Start a second server on another port."""
    with serve_site() as served:
        yield served


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Serve a hub, with a store at another address, to which the test adds models."""
    with serve(Hub(), "127.0.0.1", TLS / "server.pem") as served:
        yield served


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """Return the model's folder in the repository."""
    return tmp_path / "models" / "digits"
