"""What happens with the objects that the watches deliver."""

import logging

import pytest

from halimede import watches
from halimede.adapters.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, Kind
from halimede.adapters.store import Key, Store
from halimede.api.base import Manifest
from halimede.plan.priority import Priority
from halimede.reconcile.queue import WorkQueue


def thing(kind: Kind, name: str, version: int) -> Manifest:
    """Return an object of the ModelDeployment `m`."""
    labels = {"app.kubernetes.io/managed-by": "halimede", "halimede.dev/name": "m"}
    metadata = {"name": name, "namespace": "ns", "uid": name, "resourceVersion": str(version)}
    return {"kind": kind.name, "metadata": metadata | {"labels": labels}}


async def test_a_change_puts_its_modeldeployment_on_the_queue() -> None:
    """Given an object that is stored, an equal or older version of it queues nothing."""
    store, queue = Store(), WorkQueue(1, lambda _: Priority.SERVING)
    deliver = watches.delivery(store, {}, queue)
    for version in (2, 2, 1):
        deliver(MODEL_DEPLOYMENT, thing(MODEL_DEPLOYMENT, "m", version), deleted=False)
    assert len(queue) == 1
    assert store.keys() == (Key("ns", "m"),)


async def test_a_bug_with_one_object_does_not_end_the_watch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Given an object that cannot be processed, it is logged, and the next one is stored."""
    store, queue = Store(), WorkQueue(1, lambda _: Priority.SERVING)
    deliver = watches.delivery(store, {}, queue)
    with caplog.at_level(logging.ERROR):
        deliver(DEPLOYMENT, thing(DEPLOYMENT, "bad", 1) | {"spec": object()}, deleted=False)
    deliver(DEPLOYMENT, thing(DEPLOYMENT, "good", 2), deleted=False)
    assert [record.message for record in caplog.records] == [
        "Could not process an event of Deployment bad"
    ]
    assert [one["metadata"]["name"] for one in store.owned(DEPLOYMENT, Key("ns", "m"))] == ["good"]
