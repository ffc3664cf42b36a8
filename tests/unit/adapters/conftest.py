"""What stands where a Prometheus is expected."""

from collections.abc import Iterator

import pytest

from tests.support.http_stub import Server, serve_answer


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve answers on loopback."""
    with serve_answer() as told:
        yield told
