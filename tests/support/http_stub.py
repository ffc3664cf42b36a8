"""A server that answers whatever a test wants."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit


def answer(*series: object, **more: object) -> str:
    """Write an answer of Prometheus's API."""
    data = {"resultType": "matrix", "result": series}
    return json.dumps({"status": "success", "data": data, **more})


@dataclass
class Server:
    """An HTTP server that says what it is told to."""

    url: str = ""
    status: int = 200
    body: str = answer()
    headers: dict[str, str] = field(default_factory=dict)
    silent: Event | None = None
    """Say nothing until this is set."""
    asked: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    """The moments that were asked about."""
    received: list[dict[str, str]] = field(default_factory=list)
    """The headers of every request."""


@contextmanager
def serve_answer() -> Iterator[Server]:
    """Serve on loopback."""
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.received.append(dict(self.headers.items()))
            asked = parse_qs(urlsplit(self.path).query)
            told.asked += asked.get("query", [])
            told.times += asked.get("time", [])
            if told.silent:
                told.silent.wait(20)
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # who asked may have given up
                self.wfile.write(told.body.encode())

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        told.url = f"http://127.0.0.1:{http.server_address[1]}"
        yield told
        http.shutdown()
        thread.join()
