"""Complete clusters with Halimede, for one process or for all processes of a test run."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster import chart
from localcluster.cluster import Cluster, Part, find, running, up


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
