"""Where the scenarios begin: a first revision serves."""

import pytest

from tests.support.cluster import PretendCluster


@pytest.fixture
def cluster() -> PretendCluster:
    """Make a cluster in which a first revision serves and nobody has lost a request."""
    served = PretendCluster()
    served.until(served.ready)
    served.run(120)
    served.lost = 0.0
    return served
