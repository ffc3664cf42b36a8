"""Releases of Halimede in the cluster, as the documentation installs and removes them."""

import json

from halimede.api.base import Manifest
from localcluster import chart
from localcluster.cluster import Cluster
from localcluster.diagnosis import kubectl_in
from tests.support.pages import command
from tests.support.waiting import wait_until

CRD = "modeldeployments.halimede.dev"


def upgrade(cluster: Cluster) -> None:
    """Upgrade to the checkout with the documented command; return when a new pod leads."""
    old = _pods(cluster)
    cluster.helm(*command("docs/upgrade.md", "helm upgrade")[1:])
    in_namespace(cluster, "rollout", "status", "deployment/halimede", "--timeout=180s")
    wait_until(
        lambda: _leader(cluster),
        lambda leader: leader and leader.partition("_")[0] not in old,
        explain=lambda: f"the old pods: {old}",
    )


def uninstall(cluster: Cluster) -> None:
    """Uninstall with the documented command; return when no pod of the release is left."""
    cluster.helm(*command("docs/operations.md", "helm uninstall")[1:])
    in_namespace(cluster, "wait", "--for=delete", "pods", "--all", "--timeout=180s")


def remove_the_rest(cluster: Cluster) -> None:
    """Delete what `helm uninstall` leaves behind: the CRD, and the namespace with the Lease."""
    cluster.kubectl("delete", "crd", CRD, "--timeout=180s")
    cluster.kubectl("delete", "namespace", chart.NAMESPACE, "--timeout=180s")


def restore(cluster: Cluster) -> None:
    """Install the checkout, and delete the models of the test while there is an operator.

    Deleting their namespace takes longer, and the next test may uninstall at once.
    """
    chart.install(cluster)
    cluster.kubectl("delete", "modeldeployments", "--all", "--all-namespaces", "--timeout=180s")


def in_namespace(cluster: Cluster, *arguments: str) -> str:
    """Run kubectl in the operator's namespace."""
    return kubectl_in(cluster, chart.NAMESPACE, *arguments)


def _pods(cluster: Cluster) -> set[str]:
    listed: list[Manifest] = json.loads(in_namespace(cluster, "get", "pods", "--output=json"))[
        "items"
    ]
    return {pod["metadata"]["name"] for pod in listed}


def _leader(cluster: Cluster) -> str:
    """Return the identity of the leader: the name of its pod, _, and digits."""
    path = "jsonpath={.spec.holderIdentity}"
    return in_namespace(cluster, "get", "lease", "halimede", f"--output={path}")
