"""Rendered pods in a namespace that enforces the Pod Security Standard `restricted`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from halimede.api.base import Manifest
from halimede.api.source import Inputs
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.platform import Platform
from halimede.render.revision import render_revision
from halimede.render.workload import render_workload
from halimede.validation.spec import find_violations
from localcluster.access import ClusterError
from localcluster.cluster import Cluster
from tests.golden.cases import CASES, read
from tests.support.pod_templates import ALLOWED, REJECTED
from tests.support.waiting import wait_until
from tests.unit.render.resources import INPUTS, digits

NAMESPACE = "restricted"
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


def models() -> Iterator[tuple[str, ModelDeployment, Inputs]]:
    """Yield the specs of golden cases and examples, and one for each allowed podTemplate."""
    for case in CASES:
        md, inputs, _ = read(case)
        yield f"golden {case}", md, inputs
    for file in EXAMPLES:
        documents = list(yaml.safe_load_all(file.read_text()))
        inputs = {one["metadata"]["name"]: one for one in documents if one["kind"] == "ConfigMap"}
        (manifest,) = [one for one in documents if one["kind"] == "ModelDeployment"]
        manifest["metadata"]["namespace"] = NAMESPACE
        yield f"example {file.stem}", ModelDeployment.from_manifest(manifest), inputs
    for name, template in ALLOWED.items():
        yield f"podTemplate: {name}", digits(podTemplate=template), INPUTS


MODELS = {name: (md, inputs) for name, md, inputs in models() if not find_violations(md, inputs)}
"""Those that the operator accepts with its default settings."""
BEYOND = (
    *("another user", "no security context", "privileges", "a sidecar", "an init container"),
    *("the node's network", "the node's processes", "the node's memory", "a folder of the node"),
    "a port of the node",
)
"""What `Restricted` rejects and the standard forbids too."""


def pod_of(md: ModelDeployment, inputs: Inputs) -> Manifest:
    """Return a pod of the rendered Deployment."""
    revision = render_revision(md, Platform("registry.example/halimede-fetch:1"), inputs)
    template = render_workload(md, revision, 1)[2]["spec"]["template"]
    metadata = {**template["metadata"], "name": "checked", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


@pytest.fixture(scope="module")
def create(api_server: Cluster) -> Any:
    """Return a function that dry-runs a pod in the namespace and returns the answer."""
    api_server.kubectl("create", "namespace", NAMESPACE)
    enforced = "pod-security.kubernetes.io/enforce=restricted"
    api_server.kubectl("label", "namespace", NAMESPACE, enforced)
    accounts = ("get", "serviceaccounts", f"--namespace={NAMESPACE}", "--output=name")
    wait_until(lambda: api_server.kubectl(*accounts), lambda said: "/default" in said)

    def ask(manifest: Manifest) -> str:
        try:
            return api_server.kubectl(
                *("create", "--dry-run=server", "--validate=strict", "--filename=-"),
                input=json.dumps(manifest),
            )
        except ClusterError as error:
            return str(error)

    return ask


@pytest.mark.parametrize("name", MODELS)
def test_pods_are_admitted(create: Any, name: str) -> None:
    """What the operator accepts by default runs under the standard."""
    assert create(pod_of(*MODELS[name])) == "pod/checked created (server dry run)\n"


@pytest.mark.parametrize("name", BEYOND)
def test_pods_with_more_rights_are_rejected(create: Any, name: str) -> None:
    """The namespace enforces the standard, so the test above could fail."""
    template, _ = REJECTED[name]
    said = create(pod_of(digits(podTemplate=template), INPUTS))
    assert 'violates PodSecurity "restricted' in said


def test_nearly_all_are_checked() -> None:
    """One golden case has a sidecar and one a ServiceAccount, which the defaults do not allow."""
    every = {name for name, _, _ in models()}
    assert every - MODELS.keys() == {"golden gpu", "golden service-account"}
