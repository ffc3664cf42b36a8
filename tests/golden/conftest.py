"""The option that writes the golden files."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes the golden files."""
    parser.addoption("--golden", action="store_true", help="write the golden files again")


@pytest.fixture
def write_golden(pytestconfig: pytest.Config) -> bool:
    """Return whether to write the golden files; the option exists only in this folder."""
    return bool(pytestconfig.getoption("--golden", default=False))
