"""Counters of two proxies and many Triton pods on loopback, for `bench.shared_polls`.

It is a process of its own: `python -m bench.exporter` with a `Counters` in JSON on standard input
prints its port.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override

from halimede.judge.providers import envoy

PROXIES = 2
PODS = "/pods"
PER_SECOND = 10
"""Requests to each revision and proxy."""
_TOTAL = "@"
"""Stands for the total of a counter in a page."""


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of many rollouts."""

    rollouts: tuple[tuple[str, str, str, str], ...]
    """The namespace and name of each ModelDeployment, and its two revisions."""
    replicas: int = 2

    def to_json(self) -> str:
        """Return it for the process."""
        return json.dumps(asdict(self))

    def pages(self) -> dict[str, str]:
        """Return the pages, with a sign for the total of counters that grow."""
        return {
            **{f"/proxy{proxy}": "".join(self._proxy()) for proxy in range(PROXIES)},
            PODS: "".join(self._pods()),
        }

    def _proxy(self) -> Iterator[str]:
        for namespace, name, *revisions in self.rollouts:
            for revision in revisions:
                for port, total in ((8000, _TOTAL), (8001, "0")):
                    cluster = f'envoy_cluster_name="{namespace}_{name}-{revision}_{port}"'
                    for counter in (*envoy.BEGUN, *envoy.ABANDONED):
                        grown = total if counter == envoy.TOTAL else "0"
                        yield f"{counter}{{{cluster}}} {grown}\n"
                    yield f'{envoy.CLASSES}{{{cluster},envoy_response_code_class="2"}} {total}\n'

    def _pods(self) -> Iterator[str]:
        for namespace, name, *revisions in self.rollouts:
            for revision in revisions:
                for pod in range(self.replicas):
                    labels = (
                        f'namespace="{namespace}",pod="{name}-{revision}-{pod}",'
                        f'model="{name}",version="1"'
                    )
                    yield f"nv_inference_request_success{{{labels}}} {_TOTAL}\n"
                    failed = f'nv_inference_request_failure{{{labels},reason="BACKEND"}}'
                    yield f"{failed} 0\n"


def serve(counters: Counters) -> None:
    """Serve the pages until the process ends, and print the port."""
    pages, started = counters.pages(), time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            total = str(int(PER_SECOND * (time.monotonic() - started)) + 1000)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(pages[self.path].replace(_TOTAL, total).encode())

        @override
        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    given = json.loads(sys.stdin.readline())
    serve(Counters(tuple(map(tuple, given["rollouts"]))))
