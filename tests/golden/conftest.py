"""The option that writes the golden files."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to write the golden files anew."""
    parser.addoption("--golden", action="store_true", help="write the golden files anew")


@pytest.fixture
def write_golden(pytestconfig: pytest.Config) -> bool:
    """Whether the golden files are to be written; the option is known only in this folder."""
    return bool(pytestconfig.getoption("--golden", default=False))
