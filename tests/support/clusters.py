"""Control planes, and complete clusters with Halimede for one or all processes of a test run."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from localcluster import build, chart, crds
from localcluster.addons.gateway_crds import FOLDER
from localcluster.cluster import Cluster, Part, find, running, up


def start_control_plane(
    name: str, *, kwok_nodes: int = 0, api_server: Sequence[str] = ()
) -> Cluster:
    """Start a control plane with our CRD, and simulated nodes on which pods are ready at once.

    Args:
        name: The name of the cluster.
        kwok_nodes: The number of nodes; with none it only stores objects.
        api_server: Further arguments of the API server.
    """
    cluster = up(name, parts=(), kwok_nodes=kwok_nodes, api_server=api_server)
    try:
        crds.apply(cluster.kubectl, "crds")
    except BaseException:
        cluster.down()
        raise
    return cluster


def install_gateway_api(cluster: Cluster) -> None:
    """Install the CRDs of the Gateway API."""
    crds.apply(cluster.kubectl, str((build.build((build.CONTOUR,)) / FOLDER).resolve()))


def start_with_halimede(name: str) -> Cluster:
    """Start a cluster with gateway and Prometheus, and install Halimede by its chart."""
    cluster = up(name, parts=tuple(Part))
    try:
        chart.install(cluster)
    except BaseException:
        cluster.down()
        raise
    return cluster


@contextmanager
def share_cluster(name: str, locks: Path) -> Iterator[Cluster]:
    """Yield the cluster *name*: the first process starts it, and ends it after all the others.

    A lock on one file in *locks* makes the others wait for the start, and each process holds a
    shared lock on a second file while it uses the cluster. The kernel releases the locks of a
    process that is killed.
    """
    with (locks / f"{name}.start").open("w") as start, (locks / f"{name}.use").open("w") as use:
        fcntl.flock(start, fcntl.LOCK_EX)
        first = name not in {cluster.name for cluster in running()}
        cluster = start_with_halimede(name) if first else find(name)
        fcntl.flock(use, fcntl.LOCK_SH)
        fcntl.flock(start, fcntl.LOCK_UN)
        yield cluster
        if first:
            fcntl.flock(use, fcntl.LOCK_EX)
            cluster.down()
