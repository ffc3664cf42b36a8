"""The operator's client on a real API server."""

import socket
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.errors import (
    ConflictError,
    ForbiddenError,
    NamespaceTerminatingError,
    NotFoundError,
    RejectedError,
    TransientError,
)
from halimede.adapters.kinds import CONFIG_MAP, HTTP_ROUTE, MODEL_DEPLOYMENT, SERVICE
from halimede.adapters.store import Key
from halimede.plan.field_managers import foreign_write
from halimede.plan.plan import Event, EventType
from halimede.reconcile.execute import event_manifest
from localcluster.cluster import Cluster
from tests.operator.conftest import model, put

OURS = {"app.kubernetes.io/managed-by": "halimede", "halimede.dev/name": "m"}


def _config_map(namespace: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m-1", "namespace": namespace, "labels": OURS},
        "data": data,
    }


async def test_an_equal_apply_writes_nothing(kube: KubeCluster, namespace: str) -> None:
    """The second apply of the same manifest keeps the resourceVersion."""
    first = await put(kube, _config_map(namespace, a="1"))
    second = await put(kube, _config_map(namespace, a="1"))
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_an_apply_takes_fields_over_and_lets_go_of_dropped_ones(
    kube: KubeCluster, namespace: str
) -> None:
    """Force takes fields from another manager; our dropped keys are removed, theirs stay."""
    await put(kube, _config_map(namespace, a="1", b="1"))
    await put(kube, _config_map(namespace, a="2", c="2"), manager="somebody")
    live = await put(kube, _config_map(namespace, a="1"))
    assert live["data"] == {"a": "1", "c": "2"}


async def test_a_lost_race_writes_no_status(kube: KubeCluster, namespace: str) -> None:
    """A status is written only if the resourceVersion is the one that was read."""
    seen = await put(kube, model("m", namespace))
    await kube.write_status(seen, {"observedGeneration": 1})
    with pytest.raises(ConflictError):
        await kube.write_status(seen, {"observedGeneration": 2})
    live = await kube.get(MODEL_DEPLOYMENT, namespace, "m")
    assert live is not None
    assert live["status"]["observedGeneration"] == 1


async def test_a_status_is_replaced_and_the_spec_is_not_touched(
    kube: KubeCluster, namespace: str
) -> None:
    """Fields that the new status lacks are removed; the generation stays."""
    seen = await put(kube, model("m", namespace))
    stable = {"revision": "a1b2c3d4"}
    seen = await kube.write_status(seen, {"observedGeneration": 1, "stable": stable})
    written = await kube.write_status(seen, {"observedGeneration": 1, "url": "http://x"})
    assert written["status"] == {"observedGeneration": 1, "url": "http://x"}
    assert written["spec"] == seen["spec"]
    assert written["metadata"]["generation"] == seen["metadata"]["generation"]


async def test_a_namesake_is_not_deleted(kube: KubeCluster, namespace: str) -> None:
    """A deletion is for one uid; an object with another uid stays, without an error."""
    live = await put(kube, _config_map(namespace))
    await kube.delete(CONFIG_MAP, namespace, "m-1", "00000000-0000-0000-0000-000000000000")
    assert await kube.get(CONFIG_MAP, namespace, "m-1") is not None
    await kube.delete(CONFIG_MAP, namespace, "m-1", live["metadata"]["uid"])
    assert await kube.get(CONFIG_MAP, namespace, "m-1") is None
    await kube.delete(CONFIG_MAP, namespace, "m-1", live["metadata"]["uid"])


async def test_a_list_shows_what_the_watch_would(kube: KubeCluster, namespace: str) -> None:
    """Only objects with our label are listed, with uid, namespace, name and version."""
    live = await put(kube, _config_map(namespace))
    other = _config_map(namespace)
    other["metadata"] = {"name": "theirs", "namespace": namespace}
    await put(kube, other)
    listed = await kube.list_versions(CONFIG_MAP, [namespace])
    version = int(live["metadata"]["resourceVersion"])
    assert listed.versions == {live["metadata"]["uid"]: (Key(namespace, "m-1"), version)}
    assert listed.version >= version


async def test_long_lists_come_whole(
    kube: KubeCluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pages of a long list are read."""
    monkeypatch.setattr("halimede.adapters.cluster.PAGE", 2)
    for number in range(5):
        manifest = _config_map(namespace)
        manifest["metadata"]["name"] = f"m-{number}"
        await put(kube, manifest)
    assert len((await kube.list_versions(CONFIG_MAP, [namespace])).versions) == 5


async def test_a_missing_object_has_its_own_error(kube: KubeCluster, namespace: str) -> None:
    """A missing object is None; an object in a missing namespace cannot be applied."""
    assert await kube.get(SERVICE, namespace, "missing") is None
    with pytest.raises(NotFoundError, match="missing"):
        await put(kube, _config_map("missing"))


async def test_a_kind_that_the_cluster_lacks_has_no_objects(kube: KubeCluster) -> None:
    """A missing kind gives an empty list, because the Gateway API is optional."""
    listed = await kube.list_versions(HTTP_ROUTE, [])
    assert listed.versions == {}


async def test_a_rejection_carries_the_servers_words(kube: KubeCluster, namespace: str) -> None:
    """The error of a rejected object names the field."""
    with pytest.raises(RejectedError, match=r"spec\.replicas"):
        await put(kube, model("m", namespace, replicas=-1))


async def test_missing_permissions_have_their_own_error(
    api_server: Cluster, kube: KubeCluster, namespace: str
) -> None:
    """A service account without permissions gets a `ForbiddenError` that names the missing one."""
    api_server.kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    token = api_server.kubectl("create", "token", "nobody", "-n", namespace).strip()
    known = kube._client.configuration
    configuration = Configuration(host=known.host, ssl_ca_cert=known.ssl_ca_cert)
    configuration.ca_cert_data = known.ca_cert_data
    configuration.api_key["BearerToken"] = f"Bearer {token}"
    stranger = KubeCluster(configuration)
    with pytest.raises(ForbiddenError, match="cannot get resource"):
        await stranger.get(CONFIG_MAP, namespace, "m-1")
    await stranger.close()


async def test_an_ended_token_is_renewed(kube: KubeCluster, namespace: str) -> None:
    """On a 401 the client logs in again and repeats the request."""
    known = kube._client.configuration
    configuration = Configuration(host=known.host, ssl_ca_cert=known.ssl_ca_cert)
    configuration.ca_cert_data = known.ca_cert_data
    configuration.api_key["BearerToken"] = "Bearer ended"

    async def log_in() -> Configuration:
        return known

    forgotten = KubeCluster(configuration)
    with pytest.raises(ForbiddenError, match="Unauthorized"):
        await forgotten.get(CONFIG_MAP, namespace, "m-1")
    await forgotten.close()
    renewed = KubeCluster(configuration, log_in=log_in)
    assert await renewed.get(CONFIG_MAP, namespace, "m-1") is None
    await renewed.close()


async def test_a_terminating_namespace_has_its_own_error(
    api_server: Cluster, kube: KubeCluster, namespace: str
) -> None:
    """A write into a terminating namespace raises its own error type."""
    deleted = _config_map(namespace)
    deleted["metadata"] |= {"name": "deleted", "finalizers": ["halimede.dev/test"]}
    await put(kube, deleted)
    api_server.kubectl("delete", "namespace", namespace, "--wait=false")
    with pytest.raises(NamespaceTerminatingError, match="being terminated"):
        await put(kube, _config_map(namespace))
    released = '{"metadata": {"finalizers": null}}'
    api_server.kubectl("patch", "configmap", "deleted", "-n", namespace, "--patch", released)


async def test_a_server_that_is_away_is_worth_a_retry() -> None:
    """A refused connection is a transient error."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = KubeCluster(Configuration(host=f"http://127.0.0.1:{port}"))
    with pytest.raises(TransientError, match="cannot be reached"):
        await client.get(CONFIG_MAP, "default", "m")
    await client.close()


async def test_events_are_seen_by_kubectl(
    api_server: Cluster, kube: KubeCluster, namespace: str
) -> None:
    """An Event is listed for its object, with reason and message."""
    live = await put(kube, model("m", namespace))
    event = Event(EventType.WARNING, "TooBad", "It went wrong: " + "x" * 2000)
    await kube.post_event(event_manifest(event, live, now=1_800_000_000.0))
    shown = api_server.kubectl("events", "-n", namespace, "--for=modeldeployment.halimede.dev/m")
    assert "TooBad" in shown
    assert "It went wrong" in shown


def _canary_route(namespace: str, weight: int) -> dict[str, Any]:
    metadata = {"name": "m", "namespace": namespace, "labels": OURS}
    annotations = {"nginx.ingress.kubernetes.io/canary-weight": str(weight)}
    service = {"service": {"name": "m", "port": {"number": 8000}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": service}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {**metadata, "annotations": annotations},
        "spec": {"rules": [{"host": "m.example.com", "http": {"paths": paths}}]},
    }


async def test_a_conflict_has_the_field_manager(kube: KubeCluster, namespace: str) -> None:
    """The managedFields distinguish a foreign write from our own unwritten change."""
    ours = await put(kube, _canary_route(namespace, 5))
    raised = _canary_route(namespace, 25)
    assert foreign_write(ours, _canary_route(namespace, 5)) is None
    assert foreign_write(ours, raised) is None
    theirs = await put(kube, _canary_route(namespace, 0), manager="somebody")
    result = foreign_write(theirs, raised)
    assert result is not None
    assert result.manager == "somebody"
    assert foreign_write(await put(kube, raised), raised) is None
