"""Serve one external metric to the API server; its value is read from standard input.

Run inside the cluster: ``python external_metrics.py HOST PORT CERTIFICATE KEY``. The protocol is
that of `k8s.io/metrics/pkg/apis/external_metrics/v1beta1`.
"""

import json
import ssl
import sys
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

METRIC = "queue_length"
_VERSION = "external.metrics.k8s.io/v1beta1"


class _Metrics(BaseHTTPRequestHandler):
    value = "0"

    def __getattr__(self, name: str) -> Any:
        """Answer every method alike: only the API server calls this."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        found = path.startswith(f"/apis/{_VERSION}")
        body = json.dumps(_values() if path.endswith(METRIC) else _resources()).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _resources() -> dict[str, Any]:
    metric = {
        "name": METRIC,
        "singularName": "",
        "namespaced": True,
        "kind": "ExternalMetricValueList",
        "verbs": ["get"],
    }
    about = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": _VERSION}
    return {**about, "resources": [metric]}


def _values() -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    value = {"metricName": METRIC, "metricLabels": {}, "timestamp": now, "value": _Metrics.value}
    about = {"kind": "ExternalMetricValueList", "apiVersion": _VERSION, "metadata": {}}
    return {**about, "items": [value]}


def main(host: str, port: str, certificate: str, key: str) -> None:
    """Serve until standard input ends."""
    with ThreadingHTTPServer((host, int(port)), _Metrics) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for line in sys.stdin:
            _Metrics.value = line.strip()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
