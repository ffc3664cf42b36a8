"""The cache sync and the resync on a real API server."""

import asyncio
from typing import Any

import pytest

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.kinds import CONFIG_MAP, MODEL_DEPLOYMENT
from halimede.adapters.store import Key, Store, version_of
from halimede.reconcile import resync
from halimede.reconcile.resync import CacheSync
from tests.operator.conftest import model, put


def _child(namespace: str, data: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "halimede", "halimede.dev/name": "m"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m-1", "namespace": namespace, "labels": labels},
        "data": {"a": data},
    }


async def test_work_waits_for_the_watches(
    kube: KubeCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the watches have shown all listed objects, no reconcile starts."""
    monkeypatch.setattr(resync, "POLLS", 2)
    live = await put(kube, model("m", namespace))
    store = Store()
    waiting = asyncio.create_task(CacheSync(kube, store, [namespace]).wait_for_sync())
    done, _ = await asyncio.wait([waiting], timeout=1.0)
    assert not done
    store.put(MODEL_DEPLOYMENT, live)
    await asyncio.wait_for(waiting, 10)


async def test_what_is_deleted_meanwhile_is_not_waited_for(
    kube: KubeCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object that is deleted after the list does not block the sync."""
    monkeypatch.setattr(resync, "POLLS", 2)
    live = await put(kube, model("m", namespace))
    waiting = asyncio.create_task(CacheSync(kube, Store(), [namespace]).wait_for_sync())
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    assert not done
    await kube.delete(MODEL_DEPLOYMENT, namespace, "m", live["metadata"]["uid"])
    await asyncio.wait_for(waiting, 10)


async def test_the_resync_finds_what_the_watches_missed(kube: KubeCluster, namespace: str) -> None:
    """A missed deletion, change or creation each leads to a reconcile."""
    store, changed = Store(), list[Key]()
    resync = CacheSync(kube, store, [namespace])
    key = Key(namespace, "m")
    store.put(CONFIG_MAP, first := await put(kube, _child(namespace, "1")))
    await resync.resync(changed.append)
    assert changed == []
    second = await put(kube, _child(namespace, "2"))
    await resync.resync(changed.append)
    assert changed == [key]
    (stored,) = store.owned(CONFIG_MAP, key)
    assert version_of(stored) == version_of(second)
    await kube.delete(CONFIG_MAP, namespace, "m-1", first["metadata"]["uid"])
    await resync.resync(changed.append)
    assert changed == [key, key]
    assert store.owned(CONFIG_MAP, key) == ()
    await put(kube, model("m", namespace))
    await resync.resync(changed.append)
    assert changed == [key, key, key]
    assert store.keys() == (key,)
