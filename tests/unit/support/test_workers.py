"""Tests that share a server of a worker run on that worker; tests that share none run on any."""

import pytest

from tests.support.workers import scope_of


@pytest.mark.parametrize(
    ("test", "scope"),
    [
        ("tests/e2e/test_bake.py::test_a[x]", "tests/e2e/test_bake.py::test_a[x]"),
        ("tests/e2e/faults/test_a.py::test_a", "tests/e2e/faults"),
        ("tests/localcluster/node/test_a.py::test_a[a/b::c]", "tests/localcluster/node"),
        ("tests/api/test_a.py::test_a", "tests/api"),
        ("tests/simulations/test_arrays.py::test_a", "tests/simulations/test_arrays.py::test_a"),
        ("tests/prometheus/test_a.py::test_a", "tests/prometheus/test_a.py"),
        ("operator/halimede/api/base.py::halimede.api.base", "operator/halimede/api/base.py"),
    ],
)
def test_scope(test: str, scope: str) -> None:
    """A folder with a server of its own is a scope, a long test is one, and each other file."""
    assert scope_of(test) == scope
