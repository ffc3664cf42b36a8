"""Referenced objects of users: read once, then updated by the watch."""

from typing import Any

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.kinds import CONFIG_MAP
from halimede.adapters.store import Key
from halimede.reconcile.references import ReferencedObjects


def _source(namespace: str, code: str) -> dict[str, Any]:
    metadata = {"name": "source", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"m.py": code}}


async def test_a_missing_one_is_none_until_it_is_there(kube: KubeCluster, namespace: str) -> None:
    """A missing object is read again."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")
    assert await inputs.read(key, ["source"]) == {"source": None}
    live = await kube.apply(_source(namespace, "1"))
    assert await inputs.read(key, ["source"]) == {"source": live}


async def test_it_is_read_once_and_then_followed(kube: KubeCluster, namespace: str) -> None:
    """Without events there is no request; an event updates the object and returns its readers."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")
    old = await kube.apply(_source(namespace, "1"))
    await inputs.read(key, ["source"])
    new = await kube.apply(_source(namespace, "2"))
    assert await inputs.read(key, ["source"]) == {"source": old}
    assert inputs.on_event(new) == (key,)
    assert inputs.on_event(new) == ()
    assert inputs.on_event(old) == ()
    assert await inputs.read(key, ["source"]) == {"source": new}


async def test_a_deleted_one_is_news(kube: KubeCluster, namespace: str) -> None:
    """A deletion returns the readers, which then get None."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")
    live = await kube.apply(_source(namespace, "1"))
    await inputs.read(key, ["source"])
    await kube.delete(CONFIG_MAP, namespace, "source", live["metadata"]["uid"])
    assert inputs.on_event(live, deleted=True) == (key,)
    assert await inputs.read(key, ["source"]) == {"source": None}


async def test_a_removed_reference_notifies_no_reader(kube: KubeCluster, namespace: str) -> None:
    """A changed spec or a deleted ModelDeployment is no longer a reader."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")
    live = await kube.apply(_source(namespace, "1"))
    assert inputs.on_event(live) == ()
    await inputs.read(key, ["source"])
    await inputs.read(key, ["other"])
    assert inputs.on_event(live) == ()
    await inputs.read(key, ["source"])
    inputs.forget(key)
    assert inputs.on_event(live) == ()
