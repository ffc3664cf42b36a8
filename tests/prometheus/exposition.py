"""A page of counters that a test writes and a Prometheus scrapes."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from tests.support.series import CANARY, STABLE

ENVOY = "/envoy"
BOUNDS = ("25", "100", "250", "1000")
"""Bounds of the histogram in milliseconds."""
HISTOGRAM = "# TYPE envoy_cluster_upstream_rq_time histogram\n"
PODS = {f"digits-{revision}-x": f"/{revision}" for revision in (STABLE, CANARY)}


@dataclass
class Exposition:
    """Counters by page and by name with labels in the text format."""

    pages: dict[str, dict[str, float]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def add(self, page: str, counter: str, amount: int = 1) -> None:
        """Increment a counter; a new one starts with this value."""
        with self.lock:
            counters = self.pages.setdefault(page, {})
            counters[counter] = counters.get(counter, 0) + amount

    def restart(self, page: str) -> None:
        """Set every counter of a page to zero, as a restart of the process does."""
        with self.lock:
            self.pages[page] = dict.fromkeys(self.pages[page], 0)

    def remove(self, page: str) -> None:
        """Answer a page with 404, so that its scrapes fail."""
        with self.lock:
            self.pages.pop(page, None)

    def text(self, page: str) -> str | None:
        """Return a page as text, or None if it does not exist."""
        with self.lock:
            counters = self.pages.get(page)
            if counters is None:
                return None
            lines = (f"{name} {value}\n" for name, value in counters.items())
            return "".join((HISTOGRAM, *lines))

    def http(self, revision: str, response: int, amount: int = 1) -> None:
        """Count HTTP responses at the router, as Envoy does."""
        cluster = f'envoy_cluster_name="ml_digits-{revision}_8000"'
        self.add(ENVOY, f"envoy_cluster_upstream_rq_total{{{cluster}}}", amount)
        classed = f'{cluster},envoy_response_code_class="{response}"'
        self.add(ENVOY, f"envoy_cluster_upstream_rq_xx{{{classed}}}", amount)

    def grpc(self, revision: str, code: int, amount: int = 1) -> None:
        """Count gRPC calls at the router, as Envoy does."""
        cluster = f'envoy_cluster_name="ml_digits-{revision}_8001"'
        for metric in ("upstream_rq_total", "grpc_total", f"grpc_{code}"):
            self.add(ENVOY, f"envoy_cluster_{metric}{{{cluster}}}", amount)

    def took(self, revision: str, milliseconds: float, amount: int = 1) -> None:
        """Count response times at the router, as Envoy does."""
        cluster = f'envoy_cluster_name="ml_digits-{revision}_8000"'
        name = "envoy_cluster_upstream_rq_time"
        with self.lock:
            counters = self.pages.setdefault(ENVOY, {})
            for bound in (*BOUNDS, "+Inf"):
                bucket = f'{name}_bucket{{{cluster},le="{bound}"}}'
                counters.setdefault(bucket, 0)
                counters[bucket] += amount * (milliseconds <= float(bound))
            count = f"{name}_count{{{cluster}}}"
            counters[count] = counters.get(count, 0) + amount

    def inferred(self, revision: str, amount: int = 1, *, failed: bool = False) -> None:
        """Count requests in a pod, as Triton does."""
        own = 'model="digits",version="1"'
        page = PODS[f"digits-{revision}-x"]
        failure = f'nv_inference_request_failure{{{own},reason="BACKEND"}}'
        self.add(page, failure, amount if failed else 0)
        self.add(page, f"nv_inference_request_success{{{own}}}", 0 if failed else amount)


@contextmanager
def served(exposition: Exposition) -> Iterator[int]:
    """Serve the pages on loopback and yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = exposition.text(self.path)
            with suppress(ConnectionError):  # a scrape may have timed out
                self.send_response(404 if text is None else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write((text or "").encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64
        """All jobs may scrape at once; a dropped connection is retried only after a second."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
