from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from harness.models import Version
from localcluster.cluster import Cluster
from tests.e2e.model_source import ModelSource, serving
from tests.e2e.user import User


@pytest.fixture
def user(cluster: Cluster, versions: dict[str, Version], tmp_path: Path) -> Iterator[User]:
    """Make a user with a new namespace, which is deleted afterwards."""
    namespace = f"e2e-{uuid4().hex[:8]}"
    new = User(cluster, namespace, versions, tmp_path / "requests.jsonl")
    yield new
    new.leaves()


@pytest.fixture
def server(user: User, versions: dict[str, Version], tmp_path: Path) -> Iterator[ModelSource]:
    """Serve the files of v1 inside the cluster to clients that know the token."""
    with serving(user.cluster, versions["v1"], tmp_path) as source:
        yield source
