"""How tests are divided among the processes of pytest-xdist."""

from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

ON_SHARED_CLUSTER = PurePosixPath("tests/e2e")
"""The folder whose tests share one cluster of all workers, each in a namespace of its own."""
WITH_OWN_SERVERS = (
    "tests/api",
    "tests/chart",
    "tests/e2e/faults",
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
    file = PurePosixPath(nodeid.partition("::")[0])
    if file.parent == ON_SHARED_CLUSTER:
        return nodeid
    if str(file).startswith(WITH_OWN_SERVERS):
        return str(file.parent)
    return str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SchedulingByServers:
    """Implement the hook of pytest-xdist."""
    return SchedulingByServers(config, log)
