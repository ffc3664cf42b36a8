"""The log lines of each pass, and names that foreign objects have."""

import copy
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from halimede.adapters.cluster import Cluster
from halimede.adapters.errors import ConflictError, RejectedError
from halimede.adapters.kinds import (
    CONFIG_MAP,
    DISRUPTION_BUDGET,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    SERVICE,
    Kind,
)
from halimede.adapters.prometheus import PrometheusReader
from halimede.adapters.store import Key, Listing, Store
from halimede.api.base import Manifest
from halimede.api.status import State
from halimede.api.v1alpha1 import API_VERSION, COMMAND_ANNOTATION, KIND
from halimede.log import JsonFormatter, TextFormatter
from halimede.reconcile.foreign import ForeignObjects
from halimede.reconcile.observe import Readers
from halimede.reconcile.polls import Polls
from halimede.reconcile.reconciler import ERRORS_CHANGED_REQUEUE_SECONDS, Reconciler
from halimede.reconcile.references import ReferencedObjects
from harness.fake_cluster import PLATFORM, START, FakeCluster
from harness.fake_spec import SPEC
from tests.support.user_route import ROUTE_REF, patched, user_route

KEY = Key("ml", "digits")
PRIVATE = "hunter2"
INGRESS = {"type": "Ingress", "ingress": {"host": "digits.example.com"}}
AUTOSCALED = {
    "replicas": None,
    "autoscaling": {"maxReplicas": 3},
    "resources": {"requests": {"cpu": "1"}},
}


def _too_late(what: str) -> ConflictError:
    return ConflictError(f"Operation cannot be fulfilled on {what}: it has been modified", 409)


@dataclass
class FakeApiServer(Cluster):
    """A fake API that stores writes, or rejects the configured kinds."""

    stale: bool = False
    """Another client has written the ModelDeployment since it was observed."""
    stale_routes: bool = False
    """Another client has written the user's routes since then."""
    rejected: str = ""
    """The kind that is rejected."""
    conflicts: list[str] = field(default_factory=list)
    """The names of the writes that were rejected with a conflict."""
    objects: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    version: int = 1
    asked_for_precedence: bool = False

    def with_precedence(self) -> "FakeApiServer":
        """Record that this was called."""
        self.asked_for_precedence = True
        return self

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the stored object."""
        assert namespace == KEY.namespace
        return self.objects.get((kind.name, name))

    async def listed(self, kind: Kind, namespaces: Iterable[str]) -> Listing:
        """Raise, because a pass lists nothing."""
        raise NotImplementedError

    async def get_metadata(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the kind and the metadata of the stored object."""
        live = await self.get(kind, namespace, name)
        return {field: live[field] for field in ("kind", "metadata")} if live else None

    async def create(self, manifest: Manifest, manager: str = "halimede") -> Manifest:
        """Store the object if its name is free, or quote it in an error as the API server does."""
        assert manager
        if (manifest["kind"], manifest["metadata"]["name"]) in self.objects:
            self.conflicts.append(manifest["metadata"]["name"])
            raise _too_late(manifest["kind"])
        if manifest["kind"] == self.rejected:
            raise RejectedError(f"invalid value: {PRIVATE}", 422)
        return self._store(manifest)

    async def apply(self, manifest: Manifest, manager: str = "halimede") -> Manifest:
        """Store the object if it has the uid of the stored one."""
        assert manager
        live = self.objects.get((manifest["kind"], manifest["metadata"]["name"]))
        if live is None or live["metadata"]["uid"] != manifest["metadata"]["uid"]:
            self.conflicts.append(manifest["metadata"]["name"])
            raise _too_late(manifest["kind"])
        return self._store(manifest)

    async def patch(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Manifest]
    ) -> Manifest:
        """Patch the stored object, unless another client has written the route."""
        if kind is HTTP_ROUTE and self.stale_routes:
            raise _too_late(f"httproutes {name}")
        live = await self.get(kind, namespace, name)
        assert live
        changed = copy.deepcopy(live)
        patched(changed, operations)
        return self._store(changed)

    async def write_status(self, deployment: Manifest, status: Manifest) -> Manifest:
        """Store the status, unless there is a newer version."""
        if self.stale:
            raise _too_late("modeldeployments")
        return self._store(deployment | {"status": status})

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete nothing."""

    async def post_event(self, event: Manifest) -> None:
        """Accept the Event."""

    def _store(self, manifest: Manifest) -> Manifest:
        self.version += 1
        metadata = manifest["metadata"]
        live = manifest | {
            "metadata": {
                "uid": f"uid-{metadata['name']}",
                "namespace": KEY.namespace,
                "creationTimestamp": "2026-01-01T00:00:00Z",
                **metadata,
                "resourceVersion": str(self.version),
            }
        }
        self.objects[manifest["kind"], metadata["name"]] = live
        return live


def _deployment(**spec: Any) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": KEY.name,
            "namespace": KEY.namespace,
            "uid": "uid-digits",
            "generation": 1,
            "resourceVersion": "1",
            "annotations": {"example.com/token": PRIVATE},
        },
        "spec": SPEC
        | {"runtime": SPEC["runtime"] | {"env": [{"name": "TOKEN", "value": PRIVATE}]}}
        | spec,
    }


def _reconciler(server: FakeApiServer, deployment: Manifest) -> Reconciler:
    store = Store()
    store.put(MODEL_DEPLOYMENT, deployment)
    server.objects[KIND, KEY.name] = deployment
    return Reconciler(
        cluster=server,
        senses=Readers(
            store=store,
            inputs=ReferencedObjects(server, CONFIG_MAP),
            routes=ReferencedObjects(server, HTTP_ROUTE),
            foreign=ForeignObjects(server),
            polls=Polls(PrometheusReader(None), wake=lambda _: None, clock=lambda: START),
        ),
        platform=PLATFORM,
        resync_seconds=300,
        clock=lambda: START,
        chance=lambda: 0.5,
    )


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Collect log records of every level."""
    caplog.set_level(logging.DEBUG, "halimede")
    return caplog


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    line = json.loads(JsonFormatter().format(record))
    assert isinstance(line, dict)
    return {name: value for name, value in line.items() if name not in ("time", "logger")}


async def test_a_reconcile_that_writes_is_logged_in_one_line(
    logs: pytest.LogCaptureFixture,
) -> None:
    """One line has object, transition, writes and the next pass, in both formats."""
    reconciler = _reconciler(FakeApiServer(), _deployment())
    await reconciler.reconcile(KEY)
    (record,) = logs.records
    fields = _fields(record)
    writes = fields.pop("writes")
    assert fields == {
        "level": "INFO",
        "message": "Reconciled",
        "key": "ml/digits",
        "transition": "Idle -> Idle (Deploying)",
        "requeue_seconds": 1.0,
    }
    assert writes[0] == "status ModelDeployment/digits"
    assert "apply Service/digits" in writes
    text = TextFormatter().format(record)
    assert " INFO    Reconciled key=ml/digits transition=" in text
    assert '"Idle -> Idle (Deploying)" writes="status ModelDeployment/digits, apply ' in text
    assert text.endswith(" requeue_seconds=1.0")


async def test_a_reconcile_without_a_write_is_logged_at_debug(
    logs: pytest.LogCaptureFixture,
) -> None:
    """A pass without a write is logged only at DEBUG."""
    reconciler = _reconciler(FakeApiServer(), _deployment())
    await reconciler.reconcile(KEY)
    logs.clear()
    await reconciler.reconcile(KEY)
    (record,) = logs.records
    fields = _fields(record)
    assert fields.pop("requeue_seconds") > 0
    assert fields == {"level": "DEBUG", "message": "Reconciled", "key": "ml/digits"}


async def test_conflict_of_the_status_is_logged_at_debug(logs: pytest.LogCaptureFixture) -> None:
    """A pass with a conflict of the status logs it and is repeated at once."""
    result = await _reconciler(FakeApiServer(stale=True), _deployment()).reconcile(KEY)
    assert result.requeue_after == 0
    assert _fields(logs.records[0]) == {
        "level": "DEBUG",
        "message": "The object changed in the meantime",
        "key": "ml/digits",
        "conflict": str(_too_late("modeldeployments")),
        "requeue_seconds": 0.0,
    }
    assert len(logs.records) == 1


async def test_conflict_after_writes_hides_none_of_them(logs: pytest.LogCaptureFixture) -> None:
    """A pass with a conflict of the user's route has written the status, so it logs INFO."""
    server = FakeApiServer(stale_routes=True)
    server.objects["HTTPRoute", "shop"] = user_route()
    reconciler = _reconciler(server, _deployment(expose=ROUTE_REF, replicas=0))
    for _ in range(2):
        result = await reconciler.reconcile(KEY)
    fields = next(one for one in map(_fields, logs.records) if "conflict" in one)
    assert (fields["level"], result.requeue_after) == ("INFO", 0)
    assert "status ModelDeployment/digits" in fields["writes"]
    assert fields["conflict"] == str(_too_late("httproutes shop"))


async def test_an_unreadable_spec_and_a_lost_object(logs: pytest.LogCaptureFixture) -> None:
    """Passes without a decision are logged too."""
    reconciler = _reconciler(FakeApiServer(), _deployment(replicas="many"))
    await reconciler.reconcile(KEY)
    await reconciler.reconcile(Key("ml", "gone"))
    lines = [(one.levelname, one.getMessage(), vars(one)["key"]) for one in logs.records]
    assert lines == [
        ("INFO", "Reconciled", "ml/digits"),
        ("DEBUG", "The object no longer exists", "ml/gone"),
    ]


async def test_no_value_of_the_users_is_logged(logs: pytest.LogCaptureFixture) -> None:
    """A rejected write is logged without the values that the API server quotes."""
    await _reconciler(FakeApiServer(rejected="Deployment"), _deployment()).reconcile(KEY)
    (record,) = logs.records
    (failed,) = _fields(record)["failed"]
    assert failed.startswith("Deployment/digits-")
    assert PRIVATE not in JsonFormatter().format(record) + TextFormatter().format(record)


async def test_a_command_is_logged_for_audits(logs: pytest.LogCaptureFixture) -> None:
    """The line has the command, its author and the evidence."""
    cluster = FakeCluster()
    cluster.until(cluster.ready).model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.annotations["halimede.dev/command-by"] = "ann"
    deployment = cluster.command("pause@1").manifest() | {"apiVersion": API_VERSION, "kind": KIND}
    await _reconciler(FakeApiServer(), deployment).reconcile(KEY)
    (fields,) = (one for one in map(_fields, logs.records) if "audit" in one)
    assert (fields["message"], fields["audit"]) == ("Command executed", True)
    assert (fields["command"], fields["by"], fields["key"]) == ("pause@1", "ann", "ml/digits")


def _foreign_service(uid: str) -> Manifest:
    metadata = {"name": KEY.name, "namespace": KEY.namespace, "uid": uid}
    return {"kind": "Service", "metadata": metadata, "spec": {"selector": {"app": "old"}}}


def _reason(server: FakeApiServer) -> str:
    (ready,) = (
        one
        for one in server.objects[KIND, KEY.name]["status"]["conditions"]
        if one["type"] == "Ready"
    )
    return str(ready["reason"])


async def _reconcile(reconciler: Reconciler, times: int) -> None:
    for _ in range(times):
        await reconciler.reconcile(KEY)


async def test_an_object_of_others_is_found_once_and_left_alone(
    logs: pytest.LogCaptureFixture,
) -> None:
    """Given a Service of that name, one create is rejected, and what depends on it is not sent."""
    server = FakeApiServer()
    server.objects["Service", KEY.name] = theirs = _foreign_service("uid-theirs")
    reconciler = _reconciler(server, _deployment(expose=INGRESS))
    result = await reconciler.reconcile(KEY)
    assert result.requeue_after == ERRORS_CHANGED_REQUEUE_SECONDS
    (record,) = logs.records
    assert (record.levelname, _fields(record)["taken"]) == ("INFO", ["Service/digits"])
    await _reconcile(reconciler, 3)
    written = server.version
    await _reconcile(reconciler, 3)
    assert (server.conflicts, server.version) == ([KEY.name], written)
    assert server.objects["Service", KEY.name] is theirs
    assert not any(kind == "Ingress" for kind, _ in server.objects)
    assert _reason(server) == "NameTaken"


async def test_a_name_that_is_free_again_is_used() -> None:
    """Given the Service of others is deleted, the next reconcile creates what was missing."""
    server = FakeApiServer()
    server.objects["Service", KEY.name] = _foreign_service("uid-theirs")
    reconciler = _reconciler(server, _deployment(expose=INGRESS))
    await _reconcile(reconciler, 3)
    del server.objects["Service", KEY.name]
    await _reconcile(reconciler, 2)
    assert server.objects["Service", KEY.name]["spec"]["selector"]["halimede.dev/name"] == KEY.name
    assert ("Ingress", KEY.name) in server.objects
    assert _reason(server) == "Deploying"


async def test_a_child_that_was_replaced_is_not_taken_over() -> None:
    """Given another object with the name of a child that the watch still shows, it is kept."""
    server = FakeApiServer()
    reconciler = _reconciler(server, _deployment())
    await _reconcile(reconciler, 2)
    server.objects["Service", KEY.name] = theirs = _foreign_service("uid-new")
    store = reconciler.senses.store
    (stale,) = (one for one in store.owned(SERVICE, KEY) if one["metadata"]["name"] == KEY.name)
    metadata = stale["metadata"] | {"resourceVersion": "100"}
    store.put(SERVICE, stale | {"metadata": metadata, "spec": {}})
    await _reconcile(reconciler, 3)
    assert (server.conflicts, _reason(server)) == ([KEY.name], "NameTaken")
    assert server.objects["Service", KEY.name] is theirs


async def test_a_child_that_the_watch_does_not_show_is_repaired() -> None:
    """Given a child that has lost the label of the watch, it is applied, not reported."""
    server = FakeApiServer()
    reconciler = _reconciler(server, _deployment())
    await _reconcile(reconciler, 2)
    (budget,) = (one for (kind, _), one in server.objects.items() if "Budget" in kind)
    reconciler.senses.store.drop(DISRUPTION_BUDGET, budget)
    bare = {**budget["metadata"], "labels": {}}
    server.objects["PodDisruptionBudget", KEY.name] = {**budget, "metadata": bare}
    await _reconcile(reconciler, 1)
    live = server.objects["PodDisruptionBudget", KEY.name]
    assert live["metadata"]["labels"]["halimede.dev/name"] == KEY.name
    assert _reason(server) == "Deploying"


async def test_what_depends_on_a_missing_child_is_not_written() -> None:
    """Given a ConfigMap that cannot be created, it is unknown whose it is: no pod mounts it."""
    server = FakeApiServer(rejected="ConfigMap")
    reconciler = _reconciler(server, _deployment(**AUTOSCALED))
    await _reconcile(reconciler, 3)
    assert _reason(server) == "ApplyFailed"
    made = {kind for kind, _ in server.objects}
    assert made.isdisjoint({"ConfigMap", "Deployment", "HorizontalPodAutoscaler"})
    assert made >= {"Service", "HTTPRoute", "PodDisruptionBudget"}
    server.rejected = ""
    await _reconcile(reconciler, 2)
    assert {"ConfigMap", "Deployment", "HorizontalPodAutoscaler"} <= {
        kind for kind, _ in server.objects
    }


async def test_a_replaced_record_is_read_again() -> None:
    """Given only the metadata of another ConfigMap of that name, its content is verified."""
    server = FakeApiServer()
    reconciler = _reconciler(server, _deployment())
    await reconciler.reconcile(KEY)
    record = next(one for (kind, _), one in server.objects.items() if kind == "ConfigMap")
    text = record["data"]["revision.json"].replace("halimede-fetch:0", "planted:0")
    planted = record | {
        "metadata": record["metadata"] | {"uid": "another", "resourceVersion": "1000"},
        "data": record["data"] | {"revision.json": text},
    }
    server.objects["ConfigMap", record["metadata"]["name"]] = planted
    reconciler.senses.store.drop(CONFIG_MAP, record)
    reconciler.senses.store.put(CONFIG_MAP, {"metadata": planted["metadata"]})
    await reconciler.reconcile(KEY)
    conditions = server.objects[KIND, KEY.name]["status"]["conditions"]
    assert conditions[0]["reason"] == "InvalidRecord"
    deployments = [one for (kind, _), one in server.objects.items() if kind == "Deployment"]
    assert "planted" not in str(deployments)


@pytest.mark.parametrize("command", ["abort@1", ""])
async def test_writes_that_may_take_requests_back_have_precedence(command: str) -> None:
    """Given a command, other writes wait for those of this reconcile, and otherwise not."""
    server, deployment = FakeApiServer(), _deployment()
    deployment["metadata"]["annotations"][COMMAND_ANNOTATION] = command
    await _reconciler(server, deployment).reconcile(KEY)
    assert server.asked_for_precedence == bool(command)
