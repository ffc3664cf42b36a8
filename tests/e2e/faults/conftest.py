"""A cluster of their own for tests that stop parts of it."""

import os
from collections.abc import Iterator

import pytest

from localcluster.cluster import Cluster
from tests.support.clusters import start_with_halimede


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Start a complete cluster with Halimede."""
    with start_with_halimede(f"faults-{os.getpid()}") as started:
        yield started
