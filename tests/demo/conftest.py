from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.models import Version
from localcluster.triton import Triton, prepare
from tests.demo.triton_server import Server, served


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Triton:
    """Prepare the wheel's Triton."""
    return prepare(tmp_path_factory.mktemp("triton"))


@pytest.fixture
def serve(
    triton: Triton, versions: dict[str, Version], tmp_path: Path
) -> Iterator[Callable[[str], Server]]:
    """Return a function that starts a server for a version; it stops after the test."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(served(triton, versions[name], tmp_path / name))
