"""A dry-run client for the API server."""

import pytest

from localcluster.cluster import Cluster
from tests.support.dry_run import Rejection, connect

__all__ = ["Rejection"]


@pytest.fixture(scope="session")
def rejection(api_server: Cluster) -> Rejection:
    """Return a function that dry-runs an object and returns the API server's error, or ""."""
    return connect(api_server)
