"""Create many ModelDeployments at once, and compare with a bare apply of the same children.

Then the operator is started again beside all of them. Pods run on simulated nodes, so that only
the control plane and the operator are measured. Both run on this machine and share its processors:
`python -m bench.objects --count 5000`.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.models import children, model_deployment
from bench.process import (
    Running,
    Usage,
    api_server_cpu_seconds,
    kubeconfig_inside,
    operator,
)
from bench.requests import AuditLog, reads, writes
from halimede.api.base import Manifest
from localcluster import crds
from localcluster.cluster import Cluster, up
from localcluster.kwok import PODS_PER_NODE

BARE, OURS = "bench-bare", "bench-halimede"
PATIENCE_SECONDS = 3600.0
GLANCE_SECONDS = 1.0
CALM_SECONDS = 15.0
"""Seconds between the last Ready and the measurement at rest."""
PER_NAMESPACE = 200
"""The controllers of Kubernetes search all pods of a namespace for each object in it, so there are
several namespaces."""

Requests = Counter[tuple[str, str]]
Row = tuple[str, float, str, float | None]
"""What was measured, the figure, its unit, and its target."""


@dataclass(frozen=True, slots=True)
class Bare:
    """The result of the bare apply, which is the reference."""

    applied: float
    """Seconds until the API server had stored all children."""
    settled: float
    """Seconds until all Deployments were available."""
    api_server: float
    """Seconds of a processor that the API server took."""

    def mean(self, other: "Bare") -> "Bare":
        """Average two measurements."""
        return Bare(
            (self.applied + other.applied) / 2,
            (self.settled + other.settled) / 2,
            (self.api_server + other.api_server) / 2,
        )


@dataclass(frozen=True, slots=True)
class Rest:
    """What the operator does while nothing changes."""

    seconds: float
    requests: Requests
    cpu_seconds: float
    mebibytes: float
    """Resident memory at the end."""


@dataclass(frozen=True, slots=True)
class Restart:
    """How an operator starts beside objects that are all Ready."""

    ready: float
    """Seconds from its start until it has reconciled all of them."""
    requests: Requests
    cpu_seconds: float
    peak_mebibytes: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The time and the resources that the operator needed."""

    ready: float
    """Seconds from the first ModelDeployment's creation to the last one's Ready."""
    requests: Requests
    busy: Usage
    api_server: float
    """Seconds of a processor that the API server took until the last Ready."""
    rest: Rest
    restart: Restart


def main() -> int:
    """Measure and print; return 1 if a result is over its target."""
    parser = argparse.ArgumentParser("python -m bench.objects", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rest-seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    count = arguments.count
    # The mean of before and after: other load on the machine affects both measurements alike.
    with _control_plane(count) as (cluster, environment):
        bare = measure_bare(cluster, environment, count)
    with _control_plane(count) as (cluster, environment):
        ours = measure_ours(cluster, environment, count, arguments.rest_seconds)
    with _control_plane(count) as (cluster, environment):
        bare = bare.mean(measure_bare(cluster, environment, count))
    return show(count, bare, ours)


@contextmanager
def _control_plane(count: int) -> Iterator[tuple[Cluster, dict[str, str]]]:
    """Start a control plane with simulated nodes for so many pods; yield the operator's variables.

    Each measurement has one of its own, as objects of an earlier one would slow it down.
    """
    nodes = 1 + math.ceil(count / int(PODS_PER_NODE))
    with up(f"bench-{os.getpid()}", parts=(), kwok_nodes=nodes) as cluster:
        crds.apply(cluster.kubectl, "crds")
        variables = {
            "KUBECONFIG": str(kubeconfig_inside(cluster)),
            "HALIMEDE_LOG_FORMAT": "text",
        }
        yield cluster, os.environ | variables


def measure_bare(cluster: Cluster, environment: dict[str, str], count: int) -> Bare:
    """Apply all children of all objects at once."""
    models = _models(cluster, count, BARE)
    manifests = [child for model in models for child in children(model)]
    started, busy = time.monotonic(), api_server_cpu_seconds(cluster)
    applied = _apply(cluster, environment, manifests)
    started = max(started, time.monotonic() - applied)
    _wait(lambda: _available(cluster), count)
    settled = time.monotonic() - started
    return Bare(applied, settled, api_server_cpu_seconds(cluster) - busy)


def measure_ours(
    cluster: Cluster, environment: dict[str, str], count: int, rest_seconds: float
) -> Measured:
    """Create all ModelDeployments at once, wait for the last Ready, then measure at rest."""
    models = _models(cluster, count, OURS)
    log = cluster.directory / "logs" / "halimede.log"
    with operator(cluster, environment, log) as process:
        _wait(lambda: int("Synced" in log.read_text()), 1)
        audit, before = AuditLog(cluster.audit_log), process.usage()
        started, api_server = time.time(), api_server_cpu_seconds(cluster)
        _apply(cluster, environment, models)
        _wait(lambda: len(_ready(cluster)), count)
        ready = max(_ready(cluster)) - started
        busy, api_server = process.usage(), api_server_cpu_seconds(cluster) - api_server
        time.sleep(CALM_SECONDS)
        requests = audit.count()
        rest = measure_rest(process, audit, rest_seconds)
        peak = process.usage().peak_mebibytes
    restart = measure_restart(cluster, environment)
    busy = Usage(busy.cpu_seconds - before.cpu_seconds, peak, busy.mebibytes)
    return Measured(ready, requests, busy, api_server, rest, restart)


def measure_rest(process: Running, audit: AuditLog, seconds: float) -> Rest:
    """Measure what the operator does while nothing changes."""
    calm = process.usage()
    time.sleep(seconds)
    after = process.usage()
    cpu_seconds = after.cpu_seconds - calm.cpu_seconds
    return Rest(seconds, audit.count(), cpu_seconds, after.mebibytes)


def measure_restart(cluster: Cluster, environment: dict[str, str]) -> Restart:
    """Start an operator beside all objects, and wait until it has reconciled each of them."""
    log = cluster.directory / "logs" / "halimede-again.log"
    audit = AuditLog(cluster.audit_log)
    started = time.monotonic()
    with operator(cluster, environment, log) as process:
        _wait(lambda: int("Synced" in log.read_text()), 1)
        _wait(lambda: _waiting(cluster), 0)
        ready = time.monotonic() - started
        usage = process.usage()
    return Restart(ready, audit.count(), usage.cpu_seconds, usage.peak_mebibytes)


def show(count: int, bare: Bare, ours: Measured) -> int:
    """Print the results with their targets; return 1 if a target is missed."""
    per_object = writes(ours.requests) / count
    rest, restart = ours.rest, ours.restart
    memory = 120.0 if count <= 200 else 250.0 if count <= 2000 else None
    rows: list[Row] = [
        ("until all are Ready", ours.ready, "s", None),
        ("  … per object", 1000 * ours.ready / count, "ms", None),
        ("writes per object", per_object, "", 12.0),
        ("reads per object", reads(ours.requests) / count, "", None),
        ("operator's CPU per object", 1000 * ours.busy.cpu_seconds / count, "ms", 20.0),
        ("API server's CPU per object", 1000 * ours.api_server / count, "ms", None),
        ("peak memory", ours.busy.peak_mebibytes, "MiB", memory),
        ("at rest: memory", rest.mebibytes, "MiB", None),
        ("  … writes", writes(rest.requests) / rest.seconds, "/s", 0.0),
        ("  … reads", reads(rest.requests) / rest.seconds, "/s", 1.0),
        ("  … CPU", 100 * rest.cpu_seconds / rest.seconds, "%", None),
        ("restart: until all are reconciled", restart.ready, "s", 60.0),
        ("  … writes", writes(restart.requests), "", 0.0),
        ("  … CPU", restart.cpu_seconds, "s", None),
        ("  … peak memory", restart.peak_mebibytes, "MiB", memory),
        *_compare(ours, bare, count),
    ]
    table = Table("", "measured", "", "at most", title=f"{count} ModelDeployments at once")
    for what, figure, unit, aim in rows:
        table.add_row(what, f"{figure:.2f}", unit, "" if aim is None else f"{aim:g}")
    Console().print(table)
    for (verb, resource), number in sorted(ours.requests.items()):
        print(f"  {verb:8} {resource:40} {number / count:8.2f} per object")
    missed = [what for what, figure, _, aim in rows if aim is not None and figure > aim]
    for what in missed:
        print(f"over its target: {what.strip(' …')}")
    return 1 if missed else 0


def _compare(ours: Measured, bare: Bare, count: int) -> list[Row]:
    return [
        ("a bare apply of the same children", bare.applied, "s", None),
        ("  … API server's CPU per object", 1000 * bare.api_server / count, "ms", None),
        ("  … until all pods are ready", bare.settled, "s", None),
        ("until all are Ready, as a multiple of it", ours.ready / bare.applied, "x", 2.0),
        ("  … until all pods are ready", ours.ready / bare.settled, "x", None),
        ("API server's CPU as a multiple of it", ours.api_server / bare.api_server, "x", None),
    ]


def _apply(cluster: Cluster, environment: dict[str, str], manifests: list[Manifest]) -> float:
    finished = subprocess.run(
        cluster.inside(sys.executable, "-m", "bench.apply"),
        env=environment,
        cwd=Path(__file__).parent.parent,
        input=json.dumps(manifests),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(finished.stdout)


def _models(cluster: Cluster, count: int, prefix: str) -> list[Manifest]:
    """Return so many ModelDeployments, after creating their namespaces."""
    namespaces = [f"{prefix}-{number}" for number in range(math.ceil(count / PER_NAMESPACE))]
    for namespace in namespaces:
        cluster.kubectl("create", "namespace", namespace)
    return [
        model_deployment(number, namespaces[number // PER_NAMESPACE]) for number in range(count)
    ]


def _available(cluster: Cluster) -> int:
    path = r"jsonpath={range .items[*]}{.status.availableReplicas}{'\n'}{end}"
    return cluster.kubectl("get", "deployments", "-A", "-o", path).split().count("1")


def _ready(cluster: Cluster) -> list[float]:
    """Return the time at which each Ready object became Ready."""
    listed: Any = json.loads(cluster.kubectl("get", "mdeploy", "-A", "-o", "json"))
    return [
        datetime.fromisoformat(condition["lastTransitionTime"]).timestamp()
        for item in listed["items"]
        for condition in item.get("status", {}).get("conditions", ())
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]


def _waiting(cluster: Cluster) -> int:
    """Return how many objects wait for a reconcile, as the operator's `/readyz` says."""
    url = "http://127.0.0.1:8080/readyz"
    read = f"from urllib.request import urlopen; print(urlopen({url!r}).read().decode())"
    text = subprocess.run(
        cluster.inside(sys.executable, "-c", read), stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return sum(int(number) for number in re.findall(r": (\d+) waiting", text))


def _wait(count: Callable[[], int], expected: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        started = time.monotonic()
        if (current := count()) == expected:
            return
        if started > deadline:
            raise TimeoutError(f"{current} of {expected} within {PATIENCE_SECONDS:.0f} s")
        # A glance at thousands of objects takes time, also that of the API server.
        time.sleep(max(GLANCE_SECONDS, 10 * (time.monotonic() - started)))


if __name__ == "__main__":
    sys.exit(main())
