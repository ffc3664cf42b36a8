"""A model in an S3 store inside the cluster."""

from collections.abc import Iterator

import pytest

from harness.models import Version
from harness.object_store import ObjectStore, store_inside
from tests.e2e.user import User, ready

SECRET = "model-store"
BUCKET = "models"


@pytest.fixture
def store(user: User, versions: dict[str, Version]) -> Iterator[ObjectStore]:
    """Run a store with the files of v1 inside the cluster."""
    with store_inside(user.cluster) as running:
        running.add_bucket(BUCKET)
        for name, content in versions["v1"].files.items():
            running.put(BUCKET, f"digits/1/{name}", content)
        yield running


def test_a_model_is_served_from_a_store(user: User, store: ObjectStore) -> None:
    """Given a wrong key, then the status names it; after it is corrected, `retry` serves it."""
    user.apply(store.secret(SECRET, user.namespace, AWS_SECRET_ACCESS_KEY="wrong"))
    user.asks_for(
        "v1",
        model__storageUri=f"s3://{BUCKET}/digits",
        model__secretName=SECRET,
        model__supply=store.supply(),
        rollout__progressDeadlineSeconds=600,
    )
    cure = "correct AWS_SECRET_ACCESS_KEY in the Secret named by spec.model.secretName"
    user.sees("the cause", lambda seen: cure in ready(seen).message)
    user.apply(store.secret(SECRET, user.namespace))
    user.commands("retry")
    user.sees("Ready", lambda seen: seen.ready)
    user.starts_load()
    assert user.errors() == []
