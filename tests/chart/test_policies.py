"""The chart's admission policies on a real API server: what the operator's account may write."""

import json
from itertools import count
from typing import Any

import pytest

from halimede.api.v1alpha1 import API_VERSION, KIND
from halimede.render.traffic import Backend
from halimede.render.user_route import json_patch, restored, with_revisions
from localcluster.cluster import Cluster
from tests.api.objects import BY_SERVICE, model_deployment
from tests.chart.rendering import REQUIRED, Helm
from tests.support.operator_account import NAMESPACE, OperatorAccount

LABELS = {"app.kubernetes.io/managed-by": "halimede"}
POD = {"containers": [{"name": "main", "image": "registry.example/a:1"}]}
TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": POD}
SELECTED = {"matchLabels": {"app": "a"}}
SCALED = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}
BACKEND = {"service": {"name": "a", "port": {"number": 80}}}
OBJECTS: dict[str, dict[str, Any]] = {
    "ConfigMap": {"apiVersion": "v1"},
    "Service": {"apiVersion": "v1", "spec": {"ports": [{"port": 80}]}},
    "Deployment": {"apiVersion": "apps/v1", "spec": {"selector": SELECTED, "template": TEMPLATE}},
    "Job": {
        "apiVersion": "batch/v1",
        "spec": {"template": {"spec": POD | {"restartPolicy": "Never"}}},
    },
    "HorizontalPodAutoscaler": {
        "apiVersion": "autoscaling/v2",
        "spec": {"maxReplicas": 2, "scaleTargetRef": SCALED},
    },
    "PodDisruptionBudget": {"apiVersion": "policy/v1", "spec": {"selector": SELECTED}},
    "Ingress": {"apiVersion": "networking.k8s.io/v1", "spec": {"defaultBackend": BACKEND}},
    "NetworkPolicy": {"apiVersion": "networking.k8s.io/v1", "spec": {"podSelector": SELECTED}},
    "HTTPRoute": {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "spec": {
            "parentRefs": [{"name": "public"}],
            "hostnames": ["a.example.com"],
            "rules": [{"backendRefs": [{"name": "m", "port": 8000}]}],
        },
    },
}
"""An object of each kind of children."""
BACKENDS = (Backend("aaaaaaaa", 75), Backend("bbbbbbbb", 25))
NOT_OWNED = "an owner reference to a ModelDeployment"
NOT_HERE = "The operator serves no models in this namespace"
NOT_ITS_OWN = "the backends and its own annotation only"
_NUMBERS = count(1)


def build(kind: str, namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    """Return an object with a name of its own."""
    named = {"name": f"policy-{next(_NUMBERS)}", "namespace": namespace, **metadata}
    return {"kind": kind, "metadata": named, **OBJECTS[kind]}


def owner(cluster: Cluster, namespace: str = "default") -> dict[str, Any]:
    """Return a reference to a ModelDeployment that exists, as orphans are deleted."""
    named = ("modeldeployment", "owner", f"--namespace={namespace}")
    manifest = model_deployment(BY_SERVICE, name="owner")
    manifest["metadata"]["namespace"] = namespace
    cluster.kubectl("apply", "--filename=-", input=json.dumps(manifest))
    uid = cluster.kubectl("get", *named, "--output=jsonpath={.metadata.uid}")
    return {"apiVersion": API_VERSION, "kind": KIND, "name": "owner", "uid": uid}


@pytest.fixture(scope="module")
def child(api_server: Cluster) -> dict[str, Any]:
    """Return the metadata that make an object a child."""
    return {"ownerReferences": [owner(api_server)], "labels": LABELS}


def create(account: OperatorAccount, manifest: dict[str, Any]) -> str:
    """Create an object as the operator; return the answer."""
    return account.kubectl("create", "--filename=-", text=json.dumps(manifest))


def given(cluster: Cluster, manifest: dict[str, Any]) -> tuple[str, str, str]:
    """Create an object as an administrator; return what names it to kubectl."""
    cluster.kubectl("create", "--filename=-", input=json.dumps(manifest))
    metadata = manifest["metadata"]
    return manifest["kind"], metadata["name"], f"--namespace={metadata['namespace']}"


def patch(account: OperatorAccount, target: tuple[str, str, str], changes: Any) -> str:
    """Patch an object as the operator; return the answer. A list is a JSON patch."""
    form = "json" if isinstance(changes, list) else "merge"
    return account.kubectl("patch", *target, f"--type={form}", f"--patch={json.dumps(changes)}")


ANNOTATE = {"metadata": {"annotations": {"example.com/a": "b"}}}


@pytest.mark.usefixtures("gateway_api")
@pytest.mark.parametrize("kind", OBJECTS)
def test_children_can_be_created(
    operator_account: OperatorAccount, child: dict[str, Any], kind: str
) -> None:
    """A child needs an owner reference to a ModelDeployment; our label does not suffice."""
    (reference,) = child["ownerReferences"]
    other = {**reference, "apiVersion": "example.com/v1"}
    assert "created" in create(operator_account, build(kind, **child))
    assert NOT_OWNED in create(operator_account, build(kind))
    assert NOT_OWNED in create(operator_account, build(kind, labels=LABELS))
    wrong = build(kind, labels=LABELS, ownerReferences=[other])
    assert NOT_OWNED in create(operator_account, wrong)


@pytest.mark.usefixtures("gateway_api")
@pytest.mark.parametrize("kind", OBJECTS)
def test_children_can_be_changed(
    operator_account: OperatorAccount, api_server: Cluster, child: dict[str, Any], kind: str
) -> None:
    """A child stays one; a foreign object, with our label or without, is not changed."""
    target = given(api_server, build(kind, **child))
    assert "patched" in patch(operator_account, target, ANNOTATE)
    orphaned = {"metadata": {"ownerReferences": None}}
    assert NOT_OWNED in patch(operator_account, target, orphaned)
    for labels in ({}, LABELS):
        theirs = given(api_server, build(kind, labels=labels))
        assert NOT_OWNED in patch(operator_account, theirs, ANNOTATE)
        assert NOT_OWNED in patch(operator_account, theirs, {"metadata": child})


@pytest.mark.usefixtures("gateway_api")
@pytest.mark.parametrize("kind", OBJECTS)
def test_a_lost_label_can_be_set_again(
    operator_account: OperatorAccount, api_server: Cluster, child: dict[str, Any], kind: str
) -> None:
    """A child without the label is repaired, and can be deleted."""
    target = given(api_server, build(kind, ownerReferences=child["ownerReferences"]))
    assert "patched" in patch(operator_account, target, {"metadata": {"labels": LABELS}})
    assert "deleted" in operator_account.kubectl("delete", *target)


@pytest.mark.usefixtures("gateway_api")
@pytest.mark.parametrize("kind", OBJECTS)
def test_children_can_be_deleted(
    operator_account: OperatorAccount, api_server: Cluster, child: dict[str, Any], kind: str
) -> None:
    """A child can be deleted; a foreign object, with our label or without, cannot."""
    target = given(api_server, build(kind, **child))
    assert "deleted" in operator_account.kubectl("delete", *target)
    for labels in ({}, LABELS):
        theirs = given(api_server, build(kind, labels=labels))
        assert NOT_OWNED in operator_account.kubectl("delete", *theirs)


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease", NAMESPACE])
def test_the_clusters_own_namespaces_have_no_children(
    operator_account: OperatorAccount, api_server: Cluster, namespace: str
) -> None:
    """There, nothing is created, changed or deleted."""
    metadata = {"ownerReferences": [owner(api_server, namespace)], "labels": LABELS}
    assert NOT_HERE in create(operator_account, build("ConfigMap", namespace, **metadata))
    target = given(api_server, build("ConfigMap", namespace, **metadata))
    assert NOT_HERE in patch(operator_account, target, ANNOTATE)
    assert NOT_HERE in operator_account.kubectl("delete", *target)
    api_server.kubectl("delete", *target)
    api_server.kubectl("delete", KIND, "owner", f"--namespace={namespace}")


@pytest.mark.usefixtures("gateway_api")
@pytest.mark.parametrize("annotated", [True, False])
def test_the_users_route_can_be_used_and_restored(
    operator_account: OperatorAccount, api_server: Cluster, *, annotated: bool
) -> None:
    """It gets revisions and their weights, and is restored, also if the annotation is lost."""
    target = given(api_server, build("HTTPRoute"))

    def live() -> dict[str, Any]:
        route: dict[str, Any] = json.loads(api_server.kubectl("get", *target, "--output=json"))
        return route

    for _ in ("revisions", "weights"):
        led = json_patch(live(), with_revisions(live(), "m", BACKENDS), "m")
        assert "patched" in patch(operator_account, target, list(led))
    if not annotated:
        api_server.kubectl("annotate", *target, "halimede.dev/original-m-")
    back = json_patch(live(), restored(live(), "m"), "m")
    assert "patched" in patch(operator_account, target, list(back))
    assert [ref["name"] for ref in live()["spec"]["rules"][0]["backendRefs"]] == ["m"]
    assert NOT_OWNED in operator_account.kubectl("delete", *target)


@pytest.mark.usefixtures("gateway_api")
def test_nothing_else_of_the_users_route_can_be_changed(
    operator_account: OperatorAccount, api_server: Cluster, child: dict[str, Any]
) -> None:
    """Its hostnames, Gateways, matches, labels and other annotations stay, and it has no owner."""
    original = {"halimede.dev/original-m": "[]"}
    used = build("HTTPRoute", annotations={**original, "example.com/team": "shop"})
    target = given(api_server, used)
    backends = [{"name": "m-aaaaaaaa", "port": 8000}]
    assert "patched" in patch(
        operator_account, target, {"spec": {"rules": [{"backendRefs": backends}]}}
    )
    match = {"path": {"type": "PathPrefix", "value": "/other"}}
    for changes in (
        {"spec": {"hostnames": ["b.example.com"]}},
        {"spec": {"parentRefs": [{"name": "private"}]}},
        {"spec": {"rules": [{"matches": [match], "backendRefs": backends}]}},
        {"spec": {"rules": [{"timeouts": {"request": "1s"}, "backendRefs": backends}]}},
        {"spec": {"rules": []}},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"finalizers": ["example.com/a"]}},
        {"metadata": {"ownerReferences": child["ownerReferences"]}},
        {"metadata": {"annotations": {"example.com/a": "b"}}},
        {"metadata": {"annotations": {"example.com/team": None}}},
    ):
        assert NOT_ITS_OWN in patch(operator_account, target, changes), changes


@pytest.mark.usefixtures("operator_account")
def test_others_are_not_restricted(api_server: Cluster) -> None:
    """The policies are for the operator's account alone."""
    target = given(api_server, build("ConfigMap", NAMESPACE))
    api_server.kubectl("delete", *target)


def test_the_operator_cannot_write_a_spec(
    operator_account: OperatorAccount, api_server: Cluster
) -> None:
    """It may patch the object, but the API server rejects changes of the spec."""
    target = given(api_server, model_deployment(BY_SERVICE, name="guarded"))
    denied = "the operator writes the finalizer and the status only"
    assert denied in patch(operator_account, target, {"spec": {"replicas": 2}})
    finalized = {"metadata": {"finalizers": ["halimede.dev/route"]}}
    assert "patched" in patch(operator_account, target, finalized)
    assert "patched" in patch(operator_account, target, {"metadata": {"finalizers": None}})
    changed = ("--type=merge", '--patch={"spec": {"replicas": 1}}')
    assert "patched" in api_server.kubectl("patch", *target, *changed)
    api_server.kubectl("delete", *target)


def test_policies_have_no_type_errors(
    operator_account: OperatorAccount, api_server: Cluster
) -> None:
    """The API server finds nothing to warn of in their expressions."""
    listed = json.loads(api_server.kubectl("get", "validatingadmissionpolicies", "--output=json"))
    checked = [
        one.get("status", {}).get("typeChecking", {}).get("expressionWarnings", [])
        for one in listed["items"]
        if operator_account.user.rpartition(":")[2] in one["metadata"]["name"]
    ]
    assert checked == [[], [], [], []]


@pytest.mark.parametrize("namespace", ["kube-system", NAMESPACE])
def test_namespaces_that_the_policy_excludes_cannot_be_watched(helm: Helm, namespace: str) -> None:
    """Rendering fails with a message that names the namespace, unless the policy is off."""
    values: dict[str, Any] = {**REQUIRED, "watchNamespaces": ["ml", namespace]}
    finished = helm.template(values)
    assert finished.returncode != 0
    assert f"denies writes in the namespace {namespace}" in finished.stderr
    assert helm.template(values | {"rbac": {"protectObjects": False}}).returncode == 0
