"""The settings with which kopf watches, and what happens with the objects that are delivered."""

import collections.abc
import logging
from itertools import islice

import pytest

from halimede import watches
from halimede.adapters.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    MODEL_DEPLOYMENT,
    POD,
    SERVICE,
    Kind,
)
from halimede.adapters.store import Key, Store
from halimede.api.base import Manifest
from halimede.api.v1alpha1 import COMMAND_ANNOTATION
from halimede.plan.priority import Priority
from halimede.reconcile.queue import WorkQueue
from halimede.render.names import MANAGER, NAME_LABEL

KEY = Key("ml", "m")
COMMAND = {COMMAND_ANNOTATION: "abort@1"}


class Recorder(WorkQueue):
    """A queue that only records what is added."""

    def __init__(self) -> None:
        """Create an empty queue."""
        super().__init__(1, lambda _: Priority.TRAFFIC)
        self.urgent: list[bool] = []

    def add_changed(self, key: Key, seconds: float = 0.0, *, urgent: bool = False) -> None:
        """Record whether the key is urgent."""
        assert (key, seconds >= 0) == (KEY, True)
        self.urgent.append(urgent)


def manifest(**annotations: str) -> Manifest:
    """Return an object that belongs to the ModelDeployment, or is it."""
    labels = {"app.kubernetes.io/managed-by": MANAGER, NAME_LABEL: KEY.name}
    metadata = {"uid": "1", "resourceVersion": "1", "labels": labels, "annotations": annotations}
    return {"metadata": metadata | {"name": KEY.name, "namespace": KEY.namespace}}


@pytest.mark.parametrize(
    ("kind", "annotations", "urgent"),
    [
        (POD, {}, True),
        (ENDPOINT_SLICE, {}, True),
        (SERVICE, {}, False),
        (MODEL_DEPLOYMENT, {}, False),
        (MODEL_DEPLOYMENT, COMMAND, True),
    ],
)
async def test_changes_that_may_take_requests_back_are_urgent(
    kind: Kind, annotations: dict[str, str], *, urgent: bool
) -> None:
    """Given an event of a kind, it is urgent if it may be a reason to take requests back."""
    queue = Recorder()
    deliver = watches.delivery(Store(), {}, queue)
    deliver(kind, manifest(**annotations), deleted=False)
    assert queue.urgent == [urgent]


def test_a_watch_is_never_given_up() -> None:
    """Given an API server that fails for an hour, kopf tries again every few seconds."""
    backoffs = watches.settings(namespaced=False).networking.error_backoffs
    assert isinstance(backoffs, collections.abc.Iterable)
    assert not isinstance(backoffs, collections.abc.Sized)
    for _ in range(2):  # each request begins with the first delay
        delays = list(islice(backoffs, 1000))
        assert delays[0] == 1
        assert sum(delays) > 3600
        assert max(delays) <= 10


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
