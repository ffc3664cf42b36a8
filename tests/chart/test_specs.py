"""The chart's admission policy for specs, on a real API server, beside the operator's checks."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.validation.allowed_names import HARMLESS
from localcluster.access import ClusterError
from localcluster.cluster import Cluster
from tests.api.objects import BY_INGRESS, BY_SERVICE, changed, model_deployment
from tests.chart.rendering import Helm
from tests.support.dry_run import connect
from tests.support.pod_templates import ALLOWED, REJECTED, pod, unlisted
from tests.support.waiting import wait_until

UNLISTED = {name: template for name, template, _ in unlisted()}
TEMPLATES = {"Full", "Restricted", "None"}
LISTED = {
    "ingressAnnotations": ["cert-manager.io/issuer", "example.com/*"],
    "serviceAccounts": ["models", "team-*"],
}
OLD = changed(
    BY_INGRESS,
    podTemplate=pod(hostNetwork=True),
    serviceAccountName="admin",
    expose__ingress__annotations={"a": "b"},
)
"""A spec that was stored before the policy."""

Ask = Callable[[str, Manifest], str]


def namespace_of(policy: str) -> str:
    """Return the namespace in which this value of `operator.podTemplate` holds."""
    return f"specs-{policy.lower()}"


def install(cluster: Cluster, helm: Helm, policy: str) -> list[Manifest]:
    """Install the policy for specs of a release, for one namespace alone."""
    name = namespace_of(policy)
    rendered = helm.rendered(
        {"fullnameOverride": name, "operator": {"podTemplate": policy, **LISTED}}
    )
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    found = [one for one in rendered.of_kind(*kinds) if "-specs." in one["metadata"]["name"]]
    selected = {"matchLabels": {"kubernetes.io/metadata.name": name}}
    found[1]["spec"]["matchResources"] = {"namespaceSelector": selected}
    for manifest in found:
        cluster.kubectl("apply", "--filename=-", input=json.dumps(manifest))
    return found


@pytest.fixture(scope="module")
def ask(api_server: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Install a release for each value; return a function that dry-runs a spec under one."""
    helm = Helm.built(tmp_path_factory.mktemp("helm"))
    dry_run = connect(api_server)

    def answer(policy: str, spec: Manifest) -> str:
        manifest = model_deployment(spec)
        manifest["metadata"]["namespace"] = namespace_of(policy)
        return dry_run(manifest)

    installed = []
    for policy in sorted(TEMPLATES):
        api_server.kubectl("create", "namespace", namespace_of(policy))
        stored = model_deployment(OLD, name="old")
        stored["metadata"]["namespace"] = namespace_of(policy)
        api_server.kubectl("create", "--filename=-", input=json.dumps(stored))
        installed += install(api_server, helm, policy)
        wait_until(
            partial(answer, policy, changed(BY_SERVICE, serviceAccountName="x")),
            lambda said: "spec.serviceAccountName" in said,
        )
    yield answer
    for manifest in installed:
        api_server.kubectl("delete", manifest["kind"], manifest["metadata"]["name"])
    for policy in TEMPLATES:
        api_server.kubectl("delete", "namespace", namespace_of(policy), "--wait=false")


def templated(template: Manifest) -> Manifest:
    """Return a spec with a podTemplate."""
    return changed(BY_SERVICE, podTemplate=template)


@pytest.mark.parametrize("name", ALLOWED)
def test_what_the_operator_allows_is_admitted(ask: Ask, name: str) -> None:
    """With Restricted; with None, only nothing."""
    assert ask("Restricted", templated(ALLOWED[name])) == ""
    assert ask("Full", templated(ALLOWED[name])) == ""
    said = ask("None", templated(ALLOWED[name]))
    assert bool(ALLOWED[name]) == ("spec.podTemplate: the operator allows no" in said)
    assert bool(ALLOWED[name]) == bool(said)


@pytest.mark.parametrize("name", REJECTED)
def test_what_the_operator_rejects_is_denied(ask: Ask, name: str) -> None:
    """With Restricted, and not with Full."""
    template, _ = REJECTED[name]
    assert "denied request: " in ask("Restricted", templated(template))
    assert ask("Full", templated(template)) == ""


@pytest.mark.parametrize("name", UNLISTED)
def test_every_other_field_is_denied(ask: Ask, name: str) -> None:
    """Every field of a pod, its containers and volumes that the operator rejects."""
    said = ask("Restricted", templated(UNLISTED[name]))
    assert "denied request: spec.podTemplate." in said


def test_the_error_names_the_fields_and_what_to_do(ask: Ask) -> None:
    """All fields of the pod that are not allowed."""
    said = ask("Restricted", templated(pod(hostNetwork=True, hostPID=True)))
    assert "spec.podTemplate.spec: " in said
    assert "hostNetwork" in said
    assert "hostPID" in said
    assert "is not allowed; remove it, or ask the administrator of the operator to change" in said


@pytest.mark.parametrize("policy", sorted(TEMPLATES))
def test_annotations_of_ingresses(ask: Ask, policy: str) -> None:
    """The harmless ones and those of the value are admitted, and no others."""

    def annotated(*names: str) -> Manifest:
        return changed(BY_INGRESS, expose__ingress__annotations=dict.fromkeys(names, ""))

    listed = ("cert-manager.io/issuer", "example.com/a")
    assert ask(policy, annotated(*HARMLESS, *listed)) == ""
    for name in ("cert-manager.io/issuer-kind", "example.community/a", "a"):
        assert f"does not allow {name}; remove it" in ask(policy, annotated(*HARMLESS, name))


@pytest.mark.parametrize("policy", sorted(TEMPLATES))
def test_service_accounts(ask: Ask, policy: str) -> None:
    """The default one and those of the value are admitted, and no others."""
    for name in ("default", "models", "team-a"):
        assert ask(policy, changed(BY_SERVICE, serviceAccountName=name)) == ""
    for name in ("models-2", "team", "admin"):
        said = ask(policy, changed(BY_SERVICE, serviceAccountName=name))
        assert "spec.serviceAccountName: the operator does not allow" in said


@pytest.mark.usefixtures("ask")
def test_what_is_stored_may_stay(api_server: Cluster) -> None:
    """Given a spec from before the policy, other fields can be changed and it can be corrected."""

    def patch(spec: dict[str, Any]) -> str:
        try:
            return api_server.kubectl(
                *("patch", "mdeploy", "old", f"--namespace={namespace_of('Restricted')}"),
                *("--type=merge", "--dry-run=server", f"--patch={json.dumps({'spec': spec})}"),
            )
        except ClusterError as error:
            return str(error)

    assert "patched" in patch({"replicas": 5})
    said = patch({"podTemplate": {"spec": {"hostPID": True}}})
    assert "spec.podTemplate.spec: " in said
    assert "is not allowed; remove it" in said
    assert "patched" in patch({"podTemplate": None})
    assert "does not allow this ServiceAccount" in patch({"serviceAccountName": "other"})
    assert "does not allow a" in patch({"expose": {"ingress": {"annotations": {"a": "c"}}}})
    added = {"nginx.ingress.kubernetes.io/ssl-redirect": "true"}
    assert "patched" in patch({"expose": {"ingress": {"annotations": added}}})


@pytest.mark.usefixtures("ask")
def test_the_policies_have_no_type_errors(api_server: Cluster) -> None:
    """The API server finds nothing to warn of in any of the variants."""

    def warnings() -> list[Any]:
        listed = json.loads(
            api_server.kubectl("get", "validatingadmissionpolicies", "--output=json")
        )
        return [
            one.get("status", {}).get("typeChecking")
            for one in listed["items"]
            if one["metadata"]["name"].startswith("specs-")
        ]

    found = wait_until(warnings, lambda every: all(one is not None for one in every))
    assert [one.get("expressionWarnings", []) for one in found] == [[]] * len(TEMPLATES)
