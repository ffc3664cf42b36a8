"""A model in a cache: new pods serve although its source is gone, and damage is noticed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from halimede.api.base import Manifest
from harness.watch import Snapshot
from tests.e2e.fetchers import last_words, waits_for_words
from tests.e2e.model_source import ModelSource
from tests.e2e.user import NAME, User
from tests.support.waiting import wait_until

SECRET = "model-server"
CLAIM = "models"


@pytest.fixture
def volume(user: User, tmp_path: Path) -> Iterator[Path]:
    """Create a claim, and the volume for it; return the volume's folder."""
    folder = tmp_path / "volume"
    folder.mkdir()
    size = {"storage": "1Gi"}
    common = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    spec: Manifest = {**common, "capacity": size, "hostPath": {"path": str(folder)}}
    name = {"name": user.namespace}
    user.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": name, "spec": spec})
    user.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": user.namespace},
            "spec": {**common, "resources": {"requests": size}, "volumeName": user.namespace},
        }
    )
    yield folder
    user.cluster.kubectl("delete", "persistentvolume", user.namespace, "--wait=false")


def pods(user: User) -> list[Manifest]:
    """Return the pods that are not being deleted."""
    found: list[Manifest] = json.loads(user.kubectl("get", "pods", "--output=json"))["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def ready_pods(user: User) -> set[str]:
    """Return the names of the pods that are ready."""
    return {
        pod["metadata"]["name"]
        for pod in pods(user)
        for one in pod["status"].get("conditions", ())
        if (one["type"], one["status"]) == ("Ready", "True")
    }


def asks(user: User, server: ModelSource, replicas: int) -> None:
    """Apply the model of the server, in the cache."""
    user.asks_for(
        "v1",
        model__storageUri=server.url,
        model__secretName=SECRET,
        model__supply={"cache": {"kind": "Volume", "volume": {"claimName": CLAIM}}},
        replicas=replicas,
    )


def waits_for_pods(user: User, number: int, without: set[str] = frozenset()) -> set[str]:
    """Wait until so many pods are ready, none of which is among *without*; return their names."""
    return wait_until(
        lambda: ready_pods(user),
        lambda names: len(names) == number and not names & without,
        explain=user.explain,
    )


def flip(file: Path) -> None:
    """Flip a bit of a file in place."""
    with file.open("r+b") as opened:
        (first,) = opened.read(1)
        opened.seek(0)
        opened.write(bytes([first ^ 1]))


def serves_from_cache(user: User, server: ModelSource) -> Snapshot:
    """Serve v1 from the cache."""
    user.apply(server.secret(SECRET, user.namespace))
    server.answers()
    asks(user, server, replicas=1)
    return user.sees("v1 Ready", lambda seen: seen.ready)


def damage_is_said(words: list[str]) -> bool:
    """Whether a pod has said that the model is damaged."""
    return any("'1/model.py' differs" in text for text in words)


def test_pods_need_no_source(user: User, server: ModelSource, volume: Path) -> None:
    """Given a model in a cache, when its source and Secret are gone, then new pods serve.

    When a bit in the volume flips, then the next pod does not start, and says why; the others
    serve. Once the file is as it was, it starts.
    """
    seen = serves_from_cache(user, server)
    assert seen.status.model is not None
    files = seen.status.model.files
    assert last_words(user) == [f"files:{files}"]
    assert user.kubectl("get", "jobs", "--output=name") == ""

    server.ends()
    user.kubectl("delete", "secret", SECRET)
    (first,) = ready_pods(user)
    user.starts_load()
    asks(user, server, replicas=2)
    waits_for_pods(user, 2)
    user.kubectl("delete", "pod", first, "--wait=false")
    serving = waits_for_pods(user, 2, without={first})
    user.waits_for_requests(100)

    (model,) = volume.glob(f"sha256/*/{files}/model/1/model.py")
    flip(model)
    asks(user, server, replicas=3)
    waits_for_words(user, damage_is_said)
    assert ready_pods(user) == serving
    user.waits_for_requests(100)
    flip(model)
    waits_for_pods(user, 3)
    user.load.stop()
    assert user.errors() == []
    assert {record.revision for record in user.requests()} == {seen.stable}
    user.kubectl("delete", "mdeploy", NAME)


def test_retry_repairs_the_cache(user: User, server: ModelSource, volume: Path) -> None:
    """Given a damaged model, `retry` fetches it again, and the pods that waited for it start.

    The pod that was there serves all the time.
    """
    seen = serves_from_cache(user, server)
    assert seen.status.model is not None
    (model,) = volume.glob(f"sha256/*/{seen.status.model.files}/model/1/model.py")
    flip(model)
    user.starts_load()
    asks(user, server, replicas=2)
    waits_for_words(user, damage_is_said)
    user.commands("retry")
    waits_for_pods(user, 2)
    user.waits_for_requests(100)
    user.load.stop()
    assert user.errors() == []
    assert {record.revision for record in user.requests()} == {seen.stable}
    user.kubectl("delete", "mdeploy", NAME)
