"""What stands where a Prometheus is expected."""

from collections.abc import Iterator

import pytest

from tests.support.answering import Server, answering


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve answers on loopback."""
    with answering() as told:
        yield told
