"""Fixtures that all tests share: clusters, each started once per run; and Hypothesis."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from harness.models import Version, train
from localcluster.cluster import Cluster
from tests.support.clusters import install_gateway_api, share_cluster, start_control_plane
from tests.support.failures import pytest_terminal_summary
from tests.support.operator_account import OperatorAccount, install
from tests.support.workers import pytest_xdist_make_scheduler

__all__ = [
    "pytest_terminal_summary",
    "pytest_xdist_make_scheduler",
]  # hooks that pytest finds here

# A deadline per example would fail tests on a busy machine, not faulty code.
settings.register_profile("halimede", deadline=None)
settings.load_profile("halimede")


@pytest.fixture(scope="session")
def api_server() -> Iterator[Cluster]:
    """Start a control plane with our CRD and no nodes: it only stores objects."""
    with start_control_plane(f"tests-api-{os.getpid()}") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def operator_account(
    api_server: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> OperatorAccount:
    """Install the operator's account with the rights and the policies of the chart."""
    return install(api_server, tmp_path_factory.mktemp("account"))


@pytest.fixture(scope="session")
def gateway_api(api_server: Cluster) -> Cluster:
    """Install the CRDs of the Gateway API in the API server."""
    install_gateway_api(api_server)
    return api_server


@pytest.fixture(scope="session")
def cluster(testrun_uid: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return the cluster with Halimede that the tests of all workers share."""
    locks = tmp_path_factory.getbasetemp().parent
    with share_cluster(f"tests-{testrun_uid[:8]}", locks) as shared:
        yield shared


@pytest.fixture(scope="session")
def versions() -> dict[str, Version]:
    """Train every version of the demo's model."""
    return train()
