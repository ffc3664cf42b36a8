"""How tests are divided among the processes of pytest-xdist."""

import pytest
from xdist.scheduler import LoadScopeScheduling

SPREAD = (
    "tests/e2e/test_",
    "tests/simulations/test_arrays.py",
    "tests/simulations/test_characteristics.py",
    "tests/simulations/test_hostile_specs.py",
)
"""Long tests that share nothing within a worker, so that any worker may take any of them."""
WITH_OWN_SERVERS = (
    "tests/api",
    "tests/chart",
    "tests/e2e/faults",
    "tests/fetch",
    "tests/localcluster",
    "tests/operator",
)
"""Folders with a server that each worker starts for itself."""


class SchedulingByServers(LoadScopeScheduling):
    """Keep tests of one folder with a server, and of one file, on the same worker."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return the scope of a test: tests of the same scope run on the same worker, in order."""
    file = nodeid.partition("::")[0]
    if file.startswith(SPREAD):
        return nodeid
    if file.startswith(WITH_OWN_SERVERS):
        return file.rpartition("/")[0]
    return file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SchedulingByServers:
    """Implement the hook of pytest-xdist."""
    return SchedulingByServers(config, log)
