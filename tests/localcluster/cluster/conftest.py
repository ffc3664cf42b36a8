import os
from collections.abc import Iterator

import pytest

from localcluster.cluster import Cluster, up


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Start a control plane with two fake nodes."""
    with up(f"local-{os.getpid()}", parts=(), kwok_nodes=2) as running:
        yield running
