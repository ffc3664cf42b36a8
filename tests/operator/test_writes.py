"""Creates and applies on a real API server never change a foreign object."""

from collections.abc import Callable
from typing import Any

import pytest

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.errors import ConflictError
from halimede.adapters.kinds import BY_NAME
from halimede.api.base import Manifest
from halimede.render.ownership import applied_by_us
from tests.operator.conftest import model, put

Make = Callable[[str, str], Manifest]


def _core(kind: str, namespace: str, value: str, **fields: Any) -> Manifest:
    labels = {"value": value}
    metadata = {"name": "m", "namespace": namespace, "labels": labels}
    return {"apiVersion": BY_NAME[kind].api_version, "kind": kind, "metadata": metadata, **fields}


def _config_map(namespace: str, value: str) -> Manifest:
    return _core("ConfigMap", namespace, value, data={"a": value})


def _service(namespace: str, value: str) -> Manifest:
    ports = [{"name": "http", "port": 8000}]
    return _core("Service", namespace, value, spec={"selector": {"app": value}, "ports": ports})


def _deployment(namespace: str, value: str) -> Manifest:
    labels = {"app": value}
    pod = {"containers": [{"name": "main", "image": f"registry.example/a:{value}"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return _core("Deployment", namespace, value, spec=spec)


def _custom(namespace: str, value: str) -> Manifest:
    runtime = {"version": "26.09", "image": f"registry.example/triton:{value}"}
    manifest = model("m", namespace, runtime=runtime)
    manifest["metadata"]["labels"] = {"value": value}
    return manifest


KINDS = [_config_map, _service, _deployment, _custom]


async def _assert_unchanged(kube: KubeCluster, theirs: Manifest) -> None:
    """Assert that nobody but its own controller has written an object since."""
    metadata = theirs["metadata"]
    live = await kube.get(BY_NAME[theirs["kind"]], metadata["namespace"], metadata["name"])
    assert live is not None
    assert live["metadata"]["uid"] == metadata["uid"]
    for field in ("spec", "data"):
        assert live.get(field) == theirs.get(field)
    for field in ("labels", "ownerReferences"):
        assert live["metadata"].get(field) == metadata.get(field)
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert managers - {"kube-controller-manager"} == {"somebody"}


def _bound(manifest: Manifest, uid: str) -> Manifest:
    return manifest | {"metadata": manifest["metadata"] | {"uid": uid}}


@pytest.mark.parametrize("make", KINDS)
async def test_a_create_makes_what_an_apply_would(
    kube: KubeCluster, namespace: str, make: Make
) -> None:
    """A created object belongs to our applies alone, so that a later one can drop a field."""
    made = await kube.create(make(namespace, "ours"))
    (entry,) = made["metadata"]["managedFields"]
    assert applied_by_us(entry)
    later = _bound(make(namespace, "ours"), made["metadata"]["uid"])
    del later["metadata"]["labels"]
    assert "value" not in (await kube.apply(later))["metadata"].get("labels", {})


@pytest.mark.parametrize("make", KINDS)
async def test_a_create_does_not_change_what_exists(
    kube: KubeCluster, namespace: str, make: Make
) -> None:
    """Given an object of that name, a create is a conflict, however often it is sent."""
    theirs = await put(kube, make(namespace, "theirs"), manager="somebody")
    for _ in range(2):
        with pytest.raises(ConflictError):
            await kube.create(make(namespace, "ours"))
    await _assert_unchanged(kube, theirs)


@pytest.mark.parametrize("make", KINDS)
async def test_an_apply_does_not_change_a_successor(
    kube: KubeCluster, namespace: str, make: Make
) -> None:
    """Given an object that was deleted and created again, an apply to the old one fails."""
    manifest = make(namespace, "ours")
    ours = await kube.create(manifest)
    uid, kind = ours["metadata"]["uid"], BY_NAME[manifest["kind"]]
    await kube.delete(kind, namespace, "m", uid)
    with pytest.raises(ConflictError, match="no existing object"):
        await kube.apply(_bound(manifest, uid))
    theirs = await put(kube, make(namespace, "theirs"), manager="somebody")
    for manager in ("halimede", "halimede-replicas"):
        with pytest.raises(ConflictError, match=r"metadata\.uid"):
            await kube.apply(_bound(manifest, uid), manager)
    await _assert_unchanged(kube, theirs)


async def test_metadata_without_the_rest(kube: KubeCluster, namespace: str) -> None:
    """The metadata is that of the object, with its kind; a missing object has none."""
    live = await kube.create(_service(namespace, "ours"))
    kind = BY_NAME["Service"]
    found = await kube.get_metadata(kind, namespace, "m")
    assert found == {"apiVersion": "v1", "kind": "Service", "metadata": live["metadata"]}
    assert await kube.get_metadata(kind, namespace, "missing") is None
