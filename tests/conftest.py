"""Fixtures that all tests share: clusters, each started once per session; and Hypothesis."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from harness.models import Version, train
from localcluster import build, chart
from localcluster.addons.gateway_crds import FOLDER
from localcluster.cluster import Cluster, Part, up

# A deadline per example would fail tests on a busy machine, not faulty code.
settings.register_profile("halimede", deadline=None)
settings.load_profile("halimede")


@pytest.fixture(scope="session")
def api_server() -> Iterator[Cluster]:
    """Start a control plane with our CRD and no controllers: it only stores objects."""
    with up(f"tests-api-{os.getpid()}", parts=()) as cluster:
        cluster.kubectl("apply", "--server-side", "-f", "crds")
        cluster.kubectl("wait", "--for=condition=Established", "crd/modeldeployments.halimede.dev")
        yield cluster


@pytest.fixture(scope="session")
def gateway_api(api_server: Cluster) -> Cluster:
    """Install the CRDs of the Gateway API in the API server."""
    definitions = (build.build((build.CONTOUR,)) / FOLDER).resolve()
    api_server.kubectl("apply", "--server-side", f"--filename={definitions}")
    api_server.kubectl("wait", "--for=condition=Established", f"--filename={definitions}")
    return api_server


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Start a complete cluster with gateway and Prometheus, and install Halimede by its chart."""
    with up(f"tests-{os.getpid()}", parts=tuple(Part)) as cluster:
        chart.install(cluster)
        yield cluster


@pytest.fixture(scope="session")
def versions() -> dict[str, Version]:
    """Train every version of the demo's model."""
    return train()
