"""The user's HTTPRoute on a real API server: patched, in conflict, restored."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.errors import ConflictError, NotFoundError, RejectedError
from halimede.adapters.kinds import HTTP_ROUTE
from halimede.api.base import Manifest
from halimede.render.traffic import Backend
from halimede.render.user_route import json_patch, restored, with_revisions
from localcluster.cluster import Cluster
from tests.operator.conftest import Start, model, put
from tests.support.waiting import wait_until

BACKENDS = (Backend("aaaaaaaa", 75), Backend("bbbbbbbb", 25))
FINALIZER = "halimede.dev/route"


def _route(namespace: str, name: str = "shop") -> Manifest:
    grpc = {"path": {"type": "PathPrefix", "value": "/inference.GRPCInferenceService"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": "public"}],
            "rules": [
                {"matches": [grpc], "backendRefs": [{"name": "m", "port": 8001}]},
                {"backendRefs": [{"name": "m", "port": 8000, "weight": 3}, _other()]},
            ],
        },
    }


def _other() -> Manifest:
    return {"name": "old", "port": 80}


QUICK = {"strategy": "BlueGreen", "analysis": {"provider": "None", "settleSeconds": 0}}


def _referring(namespace: str, route: str = "shop") -> Manifest:
    """Return a spec with routeRef and without pods, so the first revision is stable at once."""
    expose = {"type": "Gateway", "gateway": {"routeRef": {"name": route}}}
    return model("m", namespace, expose=expose, replicas=0, rollout=QUICK)


@pytest.fixture
def kubectl(gateway_api: Cluster, namespace: str) -> Callable[..., Any]:
    """Run kubectl in the test's namespace."""

    def run(*arguments: str, **given: Any) -> str:
        return gateway_api.kubectl(*arguments, f"--namespace={namespace}", **given)

    return run


def _live(kubectl: Callable[..., Any], kind: str, name: str) -> Manifest:
    manifest: Manifest = json.loads(kubectl("get", kind, name, "-ojson"))
    return manifest


def _names(route: Manifest) -> list[str]:
    """Return the Services that have a weight, the revisions' without the hash."""
    refs = [ref for rule in route["spec"]["rules"] for ref in rule["backendRefs"]]
    served = [ref["name"] for ref in refs if ref["weight"]]
    return [name.partition("-")[0] + "-" * ("-" in name) for name in served]


@pytest.mark.usefixtures("gateway_api")
async def test_a_patch_is_good_for_one_version(kube: KubeCluster, namespace: str) -> None:
    """A route written since is not patched; an unacceptable patch is another error."""
    seen = await put(kube, _route(namespace), manager="somebody")
    changes = json_patch(seen, with_revisions(seen, "m", BACKENDS), "m")
    edited = _route(namespace)
    edited["metadata"]["labels"] = {"a": "b"}
    newer = await put(kube, edited, manager="somebody")
    assert newer["metadata"]["resourceVersion"] != seen["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError):
        await kube.patch(HTTP_ROUTE, namespace, "shop", changes)
    wrong = {"op": "add", "path": "/spec/rules/0/backendRefs/0/port", "value": 70_000}
    with pytest.raises(RejectedError):
        await kube.patch(HTTP_ROUTE, namespace, "shop", [wrong])
    with pytest.raises(NotFoundError):
        await kube.patch(HTTP_ROUTE, namespace, "nobody", changes)
    assert await kube.get(HTTP_ROUTE, namespace, "shop") == newer


@pytest.mark.usefixtures("gateway_api")
async def test_a_route_is_given_back_as_it_was(kube: KubeCluster, namespace: str) -> None:
    """With the API server's defaults the restored route equals the original."""
    seen = await put(kube, _route(namespace), manager="somebody")
    live = seen
    for _ in ("named", "with their shares"):
        led = json_patch(live, with_revisions(live, "m", BACKENDS), "m")
        live = await kube.patch(HTTP_ROUTE, namespace, "shop", led)
    assert json_patch(live, with_revisions(live, "m", BACKENDS), "m") == ()
    back = json_patch(live, restored(live, "m"), "m")
    live = await kube.patch(HTTP_ROUTE, namespace, "shop", back)
    assert live["spec"] == seen["spec"]
    assert live["metadata"].get("annotations", {}) == seen["metadata"].get("annotations", {})


def _wait_for_names(kubectl: Callable[..., Any], route: str, names: list[str]) -> None:
    wait_until(lambda: _names(_live(kubectl, "httproute", route)), lambda seen: seen == names)


@pytest.mark.transition("foreign-write", "object-deleted")
def test_led_fought_over_and_given_back(
    kubectl: Callable[..., Any], namespace: str, start: Start
) -> None:
    """The operator writes the route, reverts foreign writes, and restores it at the end.

    Both writes of the route are server-side applies: after a client-side one kubectl sends the
    server-side one twice, which is one foreign write or two, depending on the second.
    """
    kubectl("apply", "--server-side", "-f-", input=json.dumps(_route(namespace)))
    before = _live(kubectl, "httproute", "shop")["spec"]
    start()
    kubectl("apply", "-f-", input=json.dumps(_referring(namespace)))
    _wait_for_names(kubectl, "shop", ["m-", "m-", "old"])
    assert _live(kubectl, "mdeploy", "m")["metadata"]["finalizers"] == [FINALIZER]
    manager = ("--server-side", "--force-conflicts", "--field-manager=flux")
    kubectl("apply", *manager, "-f-", input=json.dumps(_route(namespace)))
    wait_until(
        lambda: _live(kubectl, "mdeploy", "m")["status"], lambda status: "foreignWrites" in status
    )
    _wait_for_names(kubectl, "shop", ["m-", "m-", "old"])
    writes = _live(kubectl, "mdeploy", "m")["status"]["foreignWrites"]
    assert (writes["manager"], len(writes["at"])) == ("flux", 1)
    kubectl("delete", "mdeploy", "m", "--timeout=180s")
    route = _live(kubectl, "httproute", "shop")
    assert route["spec"] == before
    assert not any("halimede" in key for key in route["metadata"].get("annotations", {}))


def test_another_route_and_none(kubectl: Callable[..., Any], namespace: str, start: Start) -> None:
    """A route that is created later is used; one that the spec no longer names is restored."""
    start()
    kubectl("apply", "-f-", input=json.dumps(_referring(namespace)))
    kubectl("apply", "-f-", input=json.dumps(_route(namespace)))
    kubectl("apply", "-f-", input=json.dumps(_route(namespace, "new")))
    _wait_for_names(kubectl, "shop", ["m-", "m-", "old"])
    kubectl("apply", "-f-", input=json.dumps(_referring(namespace, "new")))
    _wait_for_names(kubectl, "new", ["m-", "m-", "old"])
    _wait_for_names(kubectl, "shop", ["m", "m", "old"])
    kubectl("apply", "-f-", input=json.dumps(model("m", namespace, replicas=0, rollout=QUICK)))
    _wait_for_names(kubectl, "new", ["m", "m", "old"])
    wait_until(
        lambda: _live(kubectl, "mdeploy", "m")["metadata"], lambda found: "finalizers" not in found
    )
