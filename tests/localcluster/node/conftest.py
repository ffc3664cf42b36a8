import os
from collections.abc import Iterator

import pytest

from localcluster.cluster import Cluster, Part, up
from tests.localcluster.node.pods import Pods


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Start a control plane with one process node."""
    with up(f"node-{os.getpid()}", parts=(Part.NODE,)) as running:
        yield running


@pytest.fixture
def pods(cluster: Cluster) -> Iterator[Pods]:
    """Make a namespace for one test, which is deleted after it."""
    made = Pods(cluster)
    yield made
    made.remove()
