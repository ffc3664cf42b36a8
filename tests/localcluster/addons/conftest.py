import os
from collections.abc import Iterator

import pytest

from localcluster.cluster import Cluster, up
from localcluster.cluster_spec import Part
from tests.localcluster.addons.world import World, world


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Start a control plane with gateway and Prometheus, without backends."""
    parts = (Part.GATEWAY, Part.PROMETHEUS)
    with up(f"addons-{os.getpid()}", parts=parts) as running:
        yield running


@pytest.fixture
def here(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[World]:
    """Make a namespace for one test, named after it."""
    namespace = request.node.name.removeprefix("test_").replace("_", "-")[:60].strip("-")
    with world(cluster, namespace) as made:
        yield made
