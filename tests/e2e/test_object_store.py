"""A model in an S3 store inside the cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.models import Version
from localcluster import credentials
from localcluster.addresses import CLUSTER_IP
from tests.e2e.user import User, ready
from tests.support.object_store import ADMINISTRATOR, ObjectStore, object_store

SECRET = "model-store"
BUCKET = "models"


@pytest.fixture
def store(user: User, versions: dict[str, Version], tmp_path: Path) -> Iterator[ObjectStore]:
    """Run a store with the files of v1 inside the cluster.

    They are put into it before, by a store of the same folder outside, because requests of tests
    do not reach the inside.
    """
    folder = tmp_path / "store"
    (tmp_path / "tls").mkdir()
    made = credentials.create(tmp_path / "tls", user.cluster.binaries)
    files = (made.authority, made.certificate, made.key)
    with object_store(folder, *files) as outside:
        outside.add_bucket(BUCKET)
        for name, content in versions["v1"].files.items():
            outside.put(BUCKET, f"digits/1/{name}", content)
    with object_store(folder, *files, address=CLUSTER_IP, enter=user.cluster.inside()) as inside:
        yield inside


def give_keys(user: User, store: ObjectStore, **changes: str) -> None:
    """Write the Secret with the keys for the store."""
    keys = {**ADMINISTRATOR, **changes, "ca.crt": store.ca.read_text()}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": user.namespace},
        "stringData": keys,
    }
    user.apply(secret)


def test_a_model_is_served_from_a_store(user: User, store: ObjectStore) -> None:
    """Given a wrong key, then the status names it; after it is corrected, `retry` serves it."""
    give_keys(user, store, AWS_SECRET_ACCESS_KEY="wrong")
    user.asks_for(
        "v1",
        model__storageUri=f"s3://{BUCKET}/digits",
        model__secretName=SECRET,
        model__supply={"endpoint": store.url, "region": "us-east-1"},
        rollout__progressDeadlineSeconds=600,
    )
    cure = "correct AWS_SECRET_ACCESS_KEY in the Secret named by spec.model.secretName"
    user.sees("the cause", lambda seen: cure in ready(seen).message)
    give_keys(user, store)
    user.commands("retry")
    user.sees("Ready", lambda seen: seen.ready)
    user.starts_load()
    assert user.errors() == []
