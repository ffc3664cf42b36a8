"""Changes of applied fields by the API server are no drift; those by others are."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.kinds import BY_NAME
from halimede.adapters.stored_form import prepare
from halimede.api.base import Manifest
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.renderer import Renderer
from halimede.render.network import render_network
from halimede.render.platform import NetworkSettings
from halimede.render.revision import render_revision
from halimede.render.scaling import hpa, pdb
from halimede.render.workload import render_workload
from harness.fake_cluster import PLATFORM
from localcluster.cluster import Cluster
from tests.operator.conftest import model, put
from tests.operator.manifests import METRICS, TEMPLATE

STRATEGIC_MERGE = "application/strategic-merge-patch+json"
APPLIES = 300
"""Maximum number of applies until the API server uses a new policy."""


def policy(namespace: str) -> list[Manifest]:
    """Replace the image and remove the aliases of all Deployments in a namespace."""
    meant = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    template = "/spec/template/spec"
    replaced = (
        f"JSONPatch{{op: 'replace', path: '{template}/containers/0/image', value: 'mirror/t:1'}}"
    )
    removed = f"JSONPatch{{op: 'remove', path: '{template}/hostAliases'}}"
    expression = (
        f"has(object.spec.template.spec.hostAliases) ? [{replaced}, {removed}] : [{replaced}]"
    )
    api = {"apiVersion": "admissionregistration.k8s.io/v1"}
    return [
        {
            **api,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": namespace},
            "spec": {
                "reinvocationPolicy": "Never",
                "failurePolicy": "Fail",
                "matchConstraints": {"namespaceSelector": meant, "resourceRules": [rule]},
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
            },
        },
        {
            **api,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": namespace},
            "spec": {"policyName": namespace},
        },
    ]


@pytest.fixture
def rendered(api_server: Cluster, namespace: str) -> list[Manifest]:
    """Create a model with all these values and return its rendered children.

    The model exists: the garbage collector deletes children without an owner.
    """
    scaled = {"minReplicas": 2, "maxReplicas": 3, "metrics": METRICS}
    manifest = json.dumps(model("m", namespace, podTemplate=TEMPLATE, autoscaling=scaled))
    created = api_server.kubectl("create", "-f", "-", "-o", "json", input=manifest)
    md = ModelDeployment.from_manifest(json.loads(created))
    platform = replace(PLATFORM, network=NetworkSettings())
    target = render_revision(md, platform, {})
    scaler = hpa(md, target.hash)
    assert scaler is not None
    isolating = render_network(md, target, platform.network)
    return [*render_workload(md, target, None), *isolating, scaler, pdb(md)]


async def applied(kube: KubeCluster, manifest: Manifest) -> Manifest:
    """Apply a manifest and return it as stored from the watch."""
    return kept(await put(kube, manifest))


def kept(live: Manifest) -> Manifest:
    """Return a live object as it is kept."""
    return prepare(BY_NAME[live["kind"]], live)


async def changed(kube: KubeCluster, live: Manifest, patch: Manifest) -> Manifest:
    """Patch a live object as another manager."""
    where = BY_NAME[live["kind"]].path(live["metadata"]["namespace"], live["metadata"]["name"])
    return kept(
        await kube._request("PATCH", f"{where}?fieldManager=other", patch, STRATEGIC_MERGE)
    )


async def test_what_the_api_server_makes_of_it_is_no_drift(
    kube: KubeCluster, rendered: list[Manifest]
) -> None:
    """Given defaults and quantities in any form, an applied object has no drift."""
    for manifest in rendered:
        live = await applied(kube, manifest)
        assert Renderer().is_current(live, manifest), manifest["kind"]
        after = await changed(kube, live, {"metadata": {"labels": {"of": "others"}}})
        assert Renderer().is_current(after, manifest), manifest["kind"]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"hostNetwork": True}, id="a default that was dropped"),
        pytest.param({"automountServiceAccountToken": None}, id="what is false and kept"),
        pytest.param({"containers": [{"name": "triton", "image": "x:2"}]}, id="an image"),
        pytest.param(
            {"containers": [{"name": "triton", "resources": {"limits": {"cpu": "2"}}}]},
            id="a quantity",
        ),
        pytest.param(
            {"containers": [{"name": "triton", "env": [{"name": "NO", "$patch": "delete"}]}]},
            id="a variable",
        ),
        pytest.param(
            {"volumes": [{"name": "shm", "emptyDir": {"sizeLimit": None}}]}, id="one of two parts"
        ),
        pytest.param(
            {"containers": [{"name": "triton", "tty": True, "stdin": True}]}, id="two defaults"
        ),
    ],
)
async def test_what_others_make_of_it_is_drift(
    kube: KubeCluster, rendered: list[Manifest], spec: dict[str, Any]
) -> None:
    """Given a change by another manager, it is drift until the next apply."""
    manifest = next(child for child in rendered if child["kind"] == "Deployment")
    live = await applied(kube, manifest)
    assert not Renderer().is_current(
        await changed(kube, live, {"spec": {"template": {"spec": spec}}}), manifest
    )
    assert Renderer().is_current(await applied(kube, manifest), manifest)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        pytest.param(
            "NetworkPolicy",
            {"ingress": [{"ports": [{"protocol": "TCP", "port": 1, "endPort": 9999}]}]},
            id="a range of ports",
        ),
        pytest.param("NetworkPolicy", {"podSelector": {"matchLabels": {"a": "b"}}}, id="its pods"),
        pytest.param("Service", {"selector": {"a": "b"}}, id="the pods of a Service"),
    ],
)
async def test_additions_by_others_are_drift(
    kube: KubeCluster, rendered: list[Manifest], kind: str, spec: dict[str, Any]
) -> None:
    """Given an addition to a selector or to the rules of a policy, it is drift."""
    manifest = next(child for child in rendered if child["kind"] == kind)
    live = await applied(kube, manifest)
    assert not Renderer().is_current(await changed(kube, live, {"spec": spec}), manifest)
    assert Renderer().is_current(await applied(kube, manifest), manifest)


async def test_what_admission_makes_of_it_is_no_drift(
    kube: KubeCluster, api_server: Cluster, namespace: str, rendered: list[Manifest]
) -> None:
    """Given an admission policy that rewrites objects, they are applied once and not again."""
    for one in policy(namespace):
        api_server.kubectl("apply", "-f", "-", input=json.dumps(one))
    manifest = next(child for child in rendered if child["kind"] == "Deployment")
    live = manifest
    for _ in range(APPLIES):
        live = await applied(kube, manifest)
        if live["spec"]["template"]["spec"]["containers"][0]["image"] == "mirror/t:1":
            break
        await asyncio.sleep(0.1)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "mirror/t:1"
    assert Renderer().is_current(live, manifest)
    other = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    assert not Renderer().is_current(await changed(kube, live, other), manifest)
