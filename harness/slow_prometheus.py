"""Prometheus's query API on loopback, with slow queries that end only when they are released."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from halimede.api.sources import Source

SLOW = "slow_total"
"""Queries with this name are slow."""


def body(result: list[dict[str, Any]]) -> bytes:
    """Return a response with a result."""
    return json.dumps({"status": "success", "data": {"result": result}}).encode()


@dataclass
class SlowServer:
    """Prometheus's query API: counters at once, slow queries when released."""

    bodies: dict[Source, bytes]
    url: str = ""
    released: Event = field(default_factory=Event)
    """Set to answer the slow queries."""
    waiting: int = 0
    """Slow queries that wait."""
    peak: int = 0
    """The most that ever waited at a time."""
    asked: list[str] = field(default_factory=list)
    _changed: Condition = field(default_factory=Condition)

    def wait_for(self, slow: int, seconds: float) -> None:
        """Wait until so many slow queries wait.

        Raises:
            TimeoutError: They do not within *seconds*.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.waiting >= slow, seconds):
                raise TimeoutError(f"{self.waiting} of {slow} slow queries wait")

    def answer(self, query: str) -> bytes:
        """Return the response to a query."""
        with self._changed:
            self.asked.append(query)
        if SLOW in query:
            self._wait()
            return body([{"metric": {}, "value": [0, "1"]}])
        return self.bodies[Source.TRITON if "nv_inference" in query else Source.ROUTER]

    def _wait(self) -> None:
        with self._changed:
            self.waiting += 1
            self.peak = max(self.peak, self.waiting)
            self._changed.notify_all()
        self.released.wait()
        with self._changed:
            self.waiting -= 1


@contextmanager
def serve(server: SlowServer) -> Iterator[SlowServer]:
    """Serve on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (query,) = parse_qs(urlsplit(self.path).query)["query"]
            body = server.answer(query)
            with suppress(ConnectionError):  # the client may have given up
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

        @override
        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        try:
            yield server
        finally:
            server.released.set()
            http.shutdown()
            thread.join()
