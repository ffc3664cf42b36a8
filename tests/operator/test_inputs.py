"""Objects that are read by name: once, and again when the watch delivers a newer version."""

from typing import Any

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.kinds import CONFIG_MAP
from halimede.adapters.store import Key
from halimede.adapters.stored_form import prepare
from halimede.api.base import Manifest
from halimede.reconcile.references import ReferencedObjects
from tests.operator.conftest import put


def _without_content(live: Manifest) -> Manifest:
    """Return what a watch by metadata delivers."""
    return {"metadata": live["metadata"]}


def _source(namespace: str, code: str) -> dict[str, Any]:
    metadata = {"name": "source", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"m.py": code}}


async def test_a_missing_one_is_none_until_it_is_there(kube: KubeCluster, namespace: str) -> None:
    """A missing object is read again."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")
    assert await inputs.read(key, ["source"]) == {"source": None}
    live = await put(kube, _source(namespace, "1"))
    assert (await inputs.read(key, ["source"]))["source"] == prepare(CONFIG_MAP, live)


async def test_it_is_read_once_and_again_when_it_changes(
    kube: KubeCluster, namespace: str
) -> None:
    """Without events there is no request; an event of a newer version returns the readers."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")

    async def read() -> Manifest:
        return (await inputs.read(key, ["source"]))["source"] or {}

    old = await put(kube, _source(namespace, "1"))
    first = await read()
    assert first["data"] == {"m.py": "1"}
    new = await put(kube, _source(namespace, "2"))
    assert await read() == first
    assert inputs.on_event(_without_content(old)) == ()
    assert inputs.on_event(_without_content(new)) == (key,)
    assert (await read())["data"] == {"m.py": "2"}
    assert inputs.on_event(_without_content(new)) == ()


async def test_our_own_write_is_not_read_again(kube: KubeCluster, namespace: str) -> None:
    """The response of a write has the content, and its event changes nothing."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")
    written = await put(kube, _source(namespace, "1"))
    inputs.put(written)
    await kube.delete(CONFIG_MAP, namespace, "source", written["metadata"]["uid"])
    assert (await inputs.read(key, ["source"]))["source"] == prepare(CONFIG_MAP, written)
    assert inputs.on_event(_without_content(written)) == ()


async def test_a_late_response_does_not_hide_a_newer_version(
    kube: KubeCluster, namespace: str
) -> None:
    """Given the event of a newer version before our write's response, that version is read."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")
    await inputs.read(key, ["source"])
    written = await put(kube, _source(namespace, "1"))
    newer = await put(kube, _source(namespace, "2"))
    assert inputs.on_event(_without_content(newer)) == (key,)
    inputs.put(written)
    assert (await inputs.read(key, ["source"]))["source"] == prepare(CONFIG_MAP, newer)


async def test_what_does_not_fit_is_read_every_time(kube: KubeCluster, namespace: str) -> None:
    """Given more content than the limit, the objects are read and not kept."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP, max_bytes=10), Key(namespace, "m")
    await put(kube, _source(namespace, "1"))
    await inputs.read(key, ["source"])
    await put(kube, _source(namespace, "2"))
    (source,) = (await inputs.read(key, ["source"])).values()
    assert source is not None
    assert source["data"] == {"m.py": "2"}


async def test_a_deleted_one_is_news(kube: KubeCluster, namespace: str) -> None:
    """A deletion returns the readers, which then get None."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")
    live = await put(kube, _source(namespace, "1"))
    await inputs.read(key, ["source"])
    await kube.delete(CONFIG_MAP, namespace, "source", live["metadata"]["uid"])
    assert inputs.on_event(live, deleted=True) == (key,)
    assert await inputs.read(key, ["source"]) == {"source": None}


async def test_a_removed_reference_notifies_no_reader(kube: KubeCluster, namespace: str) -> None:
    """A changed spec or a deleted ModelDeployment is no longer a reader."""
    inputs, key = ReferencedObjects(kube, CONFIG_MAP), Key(namespace, "m")
    live = await put(kube, _source(namespace, "1"))
    assert inputs.on_event(live) == ()
    await inputs.read(key, ["source"])
    await inputs.read(key, ["other"])
    assert inputs.on_event(live) == ()
    await inputs.read(key, ["source"])
    inputs.forget(key)
    assert inputs.on_event(live) == ()
