"""Read what the operator has done: its children, its conditions and its metrics."""

import json
import urllib.error
import urllib.request

from localcluster.cluster import Cluster
from tests.operator.conftest import Process

CHILDREN = "deployments,services,configmaps,poddisruptionbudgets,networkpolicies"
"""The kinds of the children of a small model."""
NUMBER = 6
"""The number of its children: it has two Services."""
OURS = "--selector=app.kubernetes.io/managed-by=halimede"
_PASSES = "halimede_reconcile_seconds_count"


def condition(
    api_server: Cluster, namespace: str, type_: str, name: str = "m"
) -> tuple[str, str, str]:
    """Return status, reason and message of a condition; empty if there is none."""
    manifest = json.loads(
        api_server.kubectl("get", "mdeploy", name, "-n", namespace, "-o", "json")
    )
    for one in manifest.get("status", {}).get("conditions", ()):
        if one["type"] == type_:
            return one["status"], one["reason"], one["message"]
    return "", "", ""


def answer(process: Process, path: str, token: str | None = None) -> tuple[int, str]:
    """Return the status and the body of an HTTP endpoint."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{process.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metrics(process: Process) -> dict[str, float]:
    """Return the values of the metrics, by name with labels."""
    lines = answer(process, "/metrics")[1].splitlines()
    counts = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(count) for name, count in counts}


def passes(process: Process) -> float:
    """Return the number of reconciles that are complete."""
    return metrics(process)[_PASSES]


def has_passed(process: Process, before: float) -> bool:
    """Whether a reconcile is complete since the number of them was *before*."""
    return passes(process) > before
