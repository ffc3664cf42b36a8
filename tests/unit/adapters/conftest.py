"""A stub of Prometheus."""

from collections.abc import Iterator

import pytest

from tests.support.http_stub import Server, serve_answer


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve responses on loopback."""
    with serve_answer() as stub:
        yield stub
