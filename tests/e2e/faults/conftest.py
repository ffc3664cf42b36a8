"""A cluster of their own for tests that stop parts of it."""

import os
from collections.abc import Iterator

import pytest

from localcluster.cluster import Cluster
from tests.e2e.faults.killable_operator import KillableOperator, start_killable_operator
from tests.support.clusters import start_with_halimede


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Start a complete cluster with Halimede."""
    with start_with_halimede(f"faults-{os.getpid()}") as started:
        yield started


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KillableOperator]:
    """Run the operator, for all tests of a file, with kill points that each test sets."""
    with start_killable_operator(cluster, tmp_path_factory.mktemp("operator")) as running:
        yield running
