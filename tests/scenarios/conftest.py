"""The cluster with which most scenarios begin."""

import pytest

from harness.fake_cluster import FakeCluster


@pytest.fixture(autouse=True)
def uncovered(no_cover: None) -> None:
    """Measure no coverage: it doubles the time, and unit tests cover the same code."""


@pytest.fixture
def cluster() -> FakeCluster:
    """Make a cluster in which a first revision serves and no request was lost."""
    served = FakeCluster()
    served.until(served.ready)
    served.run(120)
    served.lost = 0.0
    return served
