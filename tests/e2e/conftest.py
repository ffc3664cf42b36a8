from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from harness.models import Version
from localcluster.cluster import Cluster
from tests.e2e.user import User


@pytest.fixture
def user(cluster: Cluster, versions: dict[str, Version], tmp_path: Path) -> Iterator[User]:
    """Make a user with a new namespace, which is deleted afterwards."""
    namespace = f"e2e-{uuid4().hex[:8]}"
    new = User(cluster, namespace, versions, tmp_path / "requests.jsonl")
    yield new
    new.leaves()
