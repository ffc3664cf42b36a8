from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from harness.models import Version
from localcluster.cluster import Cluster
from tests.e2e.user import User

_numbers = count(1)


@pytest.fixture
def user(cluster: Cluster, versions: dict[str, Version], tmp_path: Path) -> Iterator[User]:
    """Make a user with a new namespace, which is deleted afterwards."""
    new = User(cluster, f"e2e-{next(_numbers)}", versions, tmp_path / "requests.jsonl")
    yield new
    new.leaves()
