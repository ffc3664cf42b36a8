"""A crowd: very many ModelDeployments that are created while something else is measured."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.models import model_deployment
from bench.process import kubeconfig_inside
from halimede.api.base import Manifest
from localcluster.cluster import Cluster

NAMESPACE = "bench-crowd"


@contextmanager
def arriving(cluster: Cluster, number: int) -> Iterator[None]:
    """Create so many ModelDeployments at once, beside the block, and delete them after it."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    manifests = cluster.directory / "crowd.json"
    manifests.write_text(json.dumps([_model(index) for index in range(number)]))
    with manifests.open() as source:
        creation = subprocess.Popen(
            cluster.inside(sys.executable, "-m", "bench.apply"),
            env={**os.environ, "KUBECONFIG": str(kubeconfig_inside(cluster))},
            cwd=Path(__file__).parent.parent,
            stdin=source,
            stdout=subprocess.DEVNULL,
        )
    try:
        yield
    finally:
        creation.terminate()
        creation.wait(timeout=60)
        cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _model(index: int) -> Manifest:
    """Return a ModelDeployment whose pods no node has room for."""
    manifest = model_deployment(index, NAMESPACE)
    manifest["spec"]["podTemplate"] = {
        "spec": {"nodeSelector": {"bench.example.com/none": "true"}}
    }
    return manifest


def reconciled(cluster: Cluster) -> int:
    """Return how many of them have been reconciled: they have a condition Ready."""
    path = "jsonpath={range .items[*]}{.status.conditions[?(@.type=='Ready')].reason}{'\\n'}{end}"
    return len(cluster.kubectl("get", "mdeploy", "-n", NAMESPACE, "-o", path).split())
