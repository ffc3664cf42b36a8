"""An HTTP server with responses set by a test."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit


def answer(*series: object, **more: object) -> str:
    """Return a response of Prometheus's API."""
    data = {"resultType": "matrix", "result": series}
    return json.dumps({"status": "success", "data": data, **more})


@dataclass
class Server:
    """An HTTP server with a settable response."""

    url: str = ""
    status: int = 200
    body: str = answer()
    rejected: str | None = None
    """Queries with this text are answered with HTTP 422."""
    content: bytes | None = None
    """Sent instead of the body."""
    headers: dict[str, str] = field(default_factory=dict)
    silent: Event | None = None
    """Send no response until this is set."""
    endless: bool = False
    """Repeat the body until the client closes the connection."""
    asked: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    """The limits of series in the queries."""
    times: list[str] = field(default_factory=list)
    """The evaluation times of the queries."""
    received: list[dict[str, str]] = field(default_factory=list)
    """The headers of every request."""


@contextmanager
def serve_answer() -> Iterator[Server]:
    """Serve on loopback and yield the server's settings."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.received.append(dict(self.headers.items()))
            query = parse_qs(urlsplit(self.path).query)
            server.asked += query.get("query", [])
            server.limits += query.get("limit", [])
            server.times += query.get("time", [])
            if server.silent:
                server.silent.wait(20)
            rejected = server.rejected is not None and server.rejected in server.asked[-1]
            self.send_response(422 if rejected else server.status)
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # the client may have closed the connection
                content = server.content or server.body.encode()
                self.wfile.write(content)
                while server.endless:
                    self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        yield server
        http.shutdown()
        thread.join()
