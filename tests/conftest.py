"""What tests of every tier share: the clusters, each started once for all tests that need it."""

import os
from collections.abc import Iterator

import pytest

from harness.models import Version, train
from localcluster import build, chart
from localcluster.addons.gateway_crds import FOLDER
from localcluster.cluster import Cluster, Part, up


@pytest.fixture(scope="session")
def api_server() -> Iterator[Cluster]:
    """A control plane with our CRD and nothing else: objects are kept, and nobody acts on them."""
    with up(f"tests-api-{os.getpid()}", parts=()) as cluster:
        cluster.kubectl("apply", "--server-side", "-f", "crds")
        cluster.kubectl("wait", "--for=condition=Established", "crd/modeldeployments.halimede.dev")
        yield cluster


@pytest.fixture(scope="session")
def gateway_api(api_server: Cluster) -> Cluster:
    """The API server with the Gateway API's definitions too."""
    definitions = (build.build((build.CONTOUR,)) / FOLDER).resolve()
    api_server.kubectl("apply", "--server-side", f"--filename={definitions}")
    api_server.kubectl("wait", "--for=condition=Established", f"--filename={definitions}")
    return api_server


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A whole cluster, gateway and Prometheus and all, with Halimede installed by its chart."""
    with up(f"tests-{os.getpid()}", parts=tuple(Part)) as cluster:
        chart.install(cluster)
        yield cluster


@pytest.fixture(scope="session")
def versions() -> dict[str, Version]:
    """Every version that the demo trains."""
    return train()
