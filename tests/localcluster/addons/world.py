"""A namespace of a real cluster with backends."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from localcluster.addresses import CLUSTER_IP
from localcluster.cluster import Cluster
from localcluster.diagnosis import kubectl_in
from tests.localcluster.addons.manifests import Manifest, endpoints, service

BACKEND = Path(__file__).with_name("backend.py")
PORTS = count(20000, 2)
"""Each backend has two ports on the cluster's address."""


@dataclass(slots=True)
class Backend:
    """One process that serves for a Service."""

    service: str
    number: int
    port: int
    process: subprocess.Popen[str]

    def terminate(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


class World:
    """A namespace for one test."""

    def __init__(self, cluster: Cluster, namespace: str, ends: ExitStack) -> None:
        """Use an existing namespace; started processes end with ``ends``."""
        self.cluster = cluster
        self.namespace = namespace
        self._ends = ends

    def apply(self, *manifests: Manifest) -> None:
        """Apply objects to the namespace."""
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=items)

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl in the namespace."""
        return kubectl_in(self.cluster, self.namespace, *arguments, text=given)

    def backend(self, service_name: str, number: int = 1) -> Backend:
        """Start a backend and add it to its Service."""
        port = next(PORTS)
        arguments = [service_name, CLUSTER_IP, str(port), str(port + 1)]
        process = self._ends.enter_context(
            subprocess.Popen(
                self.cluster.inside(sys.executable, BACKEND, *arguments),
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        self._ends.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        self.apply(service(service_name), endpoints(service_name, number, port))
        return Backend(service_name, number, port, process)

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Return the result of a Prometheus query: ``metric`` and ``value`` of each series."""
        url = f"{self.cluster.prometheus_url}/api/v1/query?{urlencode({'query': promql})}"
        with urlopen(url, timeout=10) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


@contextmanager
def world(cluster: Cluster, namespace: str) -> Iterator[World]:
    """Make a namespace; processes started in it end with the block."""
    cluster.kubectl("create", "namespace", namespace)
    with ExitStack() as ends:
        yield World(cluster, namespace, ends)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")
