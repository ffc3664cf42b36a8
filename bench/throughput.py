"""Create 200 ModelDeployments at once, and compare with a bare apply of the same children.

Pods run on simulated nodes, so that only the control plane and the operator are measured. Both
run on this machine and share its processors.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.models import children, model_deployment
from bench.process import Usage, kubeconfig_inside, operator
from bench.requests import AuditLog, reads, writes
from halimede.api.base import Manifest
from localcluster.cluster import Cluster, up

BARE, OURS = "bench-bare", "bench-halimede"
PATIENCE_SECONDS = 600.0
GLANCE_SECONDS = 1.0
CALM_SECONDS = 15.0
"""Seconds between the last Ready and the measurement at rest."""

Requests = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Bare:
    """The result of the bare apply, which is the reference."""

    applied: float
    """Seconds until the API server had stored all children."""
    settled: float
    """Seconds until all Deployments were available."""

    def mean(self, other: "Bare") -> "Bare":
        """Average two measurements."""
        return Bare((self.applied + other.applied) / 2, (self.settled + other.settled) / 2)


@dataclass(frozen=True, slots=True)
class Measured:
    """The time and the resources that the operator needed."""

    ready: float
    """Seconds from the first ModelDeployment's creation to the last one's Ready."""
    requests: Requests
    busy: Usage
    rest_seconds: float
    rest_requests: Requests
    rest_cpu_seconds: float


def main() -> int:
    """Measure and print; return 1 if a result is over its target."""
    parser = argparse.ArgumentParser("python -m bench.throughput", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rest-seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    with up(f"bench-{os.getpid()}", parts=(), kwok_nodes=4) as cluster:
        cluster.kubectl("apply", "--server-side", "-f", "crds")
        cluster.kubectl("wait", "--for=condition=Established", "crd/modeldeployments.halimede.dev")
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig_inside(cluster)),
            "HALIMEDE_LOG_FORMAT": "text",
        }
        # The mean of before and after: other load on the machine affects both measurements alike.
        before = measure_bare(cluster, environment, arguments.count)
        ours = measure_ours(cluster, environment, arguments.count, arguments.rest_seconds)
        after = measure_bare(cluster, environment, arguments.count)
    return show(arguments.count, before.mean(after), ours)


def measure_bare(cluster: Cluster, environment: dict[str, str], count: int) -> Bare:
    """Apply all children of all objects at once, and remove them again."""
    cluster.kubectl("create", "namespace", BARE)
    manifests = [
        child for number in range(count) for child in children(model_deployment(number, BARE))
    ]
    started = time.monotonic()
    applied = _apply(cluster, environment, manifests)
    started = max(started, time.monotonic() - applied)
    _wait(lambda: _available(cluster), count)
    settled = time.monotonic() - started
    cluster.kubectl("delete", "namespace", BARE, "--timeout=300s")
    return Bare(applied, settled)


def measure_ours(
    cluster: Cluster, environment: dict[str, str], count: int, rest_seconds: float
) -> Measured:
    """Create all ModelDeployments at once, wait for the last Ready, then measure at rest."""
    cluster.kubectl("create", "namespace", OURS)
    log = cluster.directory / "logs" / "halimede.log"
    with operator(cluster, environment, log) as process:
        _wait(lambda: int("Synced" in log.read_text()), 1)
        audit, before = AuditLog(cluster.audit_log), process.usage()
        started = time.time()
        _apply(cluster, environment, [model_deployment(number, OURS) for number in range(count)])
        _wait(lambda: len(_ready(cluster)), count)
        ready = max(_ready(cluster)) - started
        busy = process.usage()
        time.sleep(CALM_SECONDS)
        requests, calm = audit.count(), process.usage()
        time.sleep(rest_seconds)
        rest, after = audit.count(), process.usage()
    return Measured(
        ready=ready,
        requests=requests,
        busy=Usage(busy.cpu_seconds - before.cpu_seconds, after.peak_mebibytes),
        rest_seconds=rest_seconds,
        rest_requests=rest,
        rest_cpu_seconds=after.cpu_seconds - calm.cpu_seconds,
    )


def show(count: int, bare: Bare, ours: Measured) -> int:
    """Print the results with their targets; return 1 if a target is missed."""
    per_object = writes(ours.requests) / count
    rows: list[tuple[str, float, str, float | None]] = [
        ("bare apply of the same children", bare.applied, "s", None),
        ("bare apply until all pods are ready", bare.settled, "s", None),
        ("Halimede: until all are Ready", ours.ready, "s", None),
        ("  … as a multiple of the bare apply", ours.ready / bare.applied, "x", 2.5),
        ("  … until all pods are ready", ours.ready / bare.settled, "x", None),
        ("writes per object", per_object, "", 14.0),
        ("reads per object", reads(ours.requests) / count, "", None),
        ("writes at rest", writes(ours.rest_requests) / ours.rest_seconds, "/s", 0.0),
        ("reads at rest", reads(ours.rest_requests) / ours.rest_seconds, "/s", 1.0),
        ("CPU until all are Ready", ours.busy.cpu_seconds, "s", None),
        ("CPU at rest", 100 * ours.rest_cpu_seconds / ours.rest_seconds, "%", None),
        ("peak memory", ours.busy.peak_mebibytes, "MiB", 191.0),
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


def _available(cluster: Cluster) -> int:
    path = r"jsonpath={range .items[*]}{.status.availableReplicas}{'\n'}{end}"
    return cluster.kubectl("get", "deployments", "-n", BARE, "-o", path).split().count("1")


def _ready(cluster: Cluster) -> list[float]:
    """Return the time at which each Ready object became Ready."""
    listed: Any = json.loads(cluster.kubectl("get", "mdeploy", "-n", OURS, "-o", "json"))
    return [
        datetime.fromisoformat(condition["lastTransitionTime"]).timestamp()
        for item in listed["items"]
        for condition in item.get("status", {}).get("conditions", ())
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]


def _wait(count: Callable[[], int], expected: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (current := count()) != expected:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{current} of {expected} within {PATIENCE_SECONDS:.0f} s")
        time.sleep(GLANCE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
