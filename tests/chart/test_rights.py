from typing import Any

import pytest

from halimede.adapters.kinds import CHILDREN, MODEL_DEPLOYMENT, WATCHED
from tests.chart.rendering import Helm

SCOPES: dict[str, dict[str, Any]] = {
    "cluster": {},
    "namespaces": {"watchNamespaces": ["blue", "green"]},
}


CLUSTER_WIDE = {
    ("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("list", "watch")
}
"""What kopf needs if no namespaces are given."""
REVIEWS = {
    ("authentication.k8s.io", "tokenreviews", "create"),
    ("authorization.k8s.io", "subjectaccessreviews", "create"),
}
"""What is needed to find out who may read the metrics."""
OPEN: dict[str, Any] = {"metrics": {"authentication": False}}


def needed() -> set[tuple[str, str, str]]:
    """Return the operator's requests by group, resource and verb."""
    model = MODEL_DEPLOYMENT
    return (
        {(kind.group, kind.plural, verb) for kind in WATCHED for verb in ("get", "list", "watch")}
        | {
            (kind.group, kind.plural, verb)
            for kind in CHILDREN
            for verb in ("create", "patch", "delete")
        }
        | {(model.group, model.plural, "patch")}
        | {(model.group, f"{model.plural}/status", "update")}
        | {(model.group, f"{model.plural}/finalizers", "update")}
        | {("events.k8s.io", "events", "create")}
        | {("coordination.k8s.io", "leases", verb) for verb in ("create", "get", "update")}
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (SCOPES["cluster"], needed() | CLUSTER_WIDE | REVIEWS),
        (SCOPES["namespaces"], needed() | REVIEWS),
        (SCOPES["cluster"] | OPEN, needed() | CLUSTER_WIDE),
        (SCOPES["namespaces"] | OPEN, needed()),
    ],
)
def test_the_operator_may_do_what_it_does_and_no_more(
    helm: Helm, values: dict[str, Any], expected: set[tuple[str, str, str]]
) -> None:
    """The rules grant exactly the verbs for the kinds that it watches and writes."""
    assert helm.rendered(values).rights == expected


@pytest.mark.parametrize("values", SCOPES.values(), ids=SCOPES)
def test_no_rule_has_a_wildcard(helm: Helm, values: dict[str, Any]) -> None:
    """Every group, resource and verb is named."""
    rules = helm.rendered(values).rules
    assert rules
    assert [rule for rule in rules if any("*" in part for part in rule.values())] == []


@pytest.mark.parametrize("values", SCOPES.values(), ids=SCOPES)
def test_secrets_cannot_be_touched(helm: Helm, values: dict[str, Any]) -> None:
    """No rule grants access to Secrets."""
    named = {resource for rule in helm.rendered(values).rules for resource in rule["resources"]}
    assert "configmaps" in named
    assert "secrets" not in named


@pytest.mark.parametrize("values", SCOPES.values(), ids=SCOPES)
def test_the_object_belongs_to_the_user(helm: Helm, values: dict[str, Any]) -> None:
    """ModelDeployments can be read and patched (finalizer), but not created or deleted."""
    verbs = {
        resource: set(rule["verbs"])
        for rule in helm.rendered(values).rules
        for resource in rule["resources"]
        if resource.startswith("modeldeployments")
    }
    assert verbs == {
        "modeldeployments": {"get", "list", "watch", "patch"},
        "modeldeployments/status": {"update"},
        "modeldeployments/finalizers": {"update"},
    }


def test_rights_end_at_the_namespaces_that_are_watched(helm: Helm) -> None:
    """With watchNamespaces each has one Role, and no object can be read cluster-wide."""
    rendered = helm.rendered(SCOPES["namespaces"])
    (binding,) = rendered.of_kind("ClusterRoleBinding")
    assert binding["roleRef"]["name"] == "h-halimede-reviews"
    rendered = helm.rendered(SCOPES["namespaces"] | OPEN)
    roles = rendered.of_kind("Role")
    bindings = rendered.of_kind("RoleBinding")
    expected = ["blue", "green", "halimede-system"]
    assert [role["metadata"]["namespace"] for role in roles] == expected
    assert [binding["metadata"]["namespace"] for binding in bindings] == expected
    assert {resource for rule in roles[-1]["rules"] for resource in rule["resources"]} == {
        "leases"
    }
    assert rendered.of_kind("ClusterRoleBinding") == []
    asked = {resource for rule in rendered.rules for resource in rule["resources"]}
    assert "customresourcedefinitions" not in asked


@pytest.mark.parametrize("values", SCOPES.values(), ids=SCOPES)
def test_the_rights_are_the_operators(helm: Helm, values: dict[str, Any]) -> None:
    """Every binding is for the pod's ServiceAccount."""
    rendered = helm.rendered(values)
    pod = rendered.only("Deployment")["spec"]["template"]["spec"]
    bindings = rendered.of_kind("RoleBinding", "ClusterRoleBinding")
    subject = {
        "kind": "ServiceAccount",
        "name": pod["serviceAccountName"],
        "namespace": "halimede-system",
    }
    assert [binding["subjects"] for binding in bindings] == [[subject]] * len(bindings)
    granted = ("view", "edit", "operate", "metrics-reader")
    users = {f"{pod['serviceAccountName']}-{role}" for role in granted}
    roles = [role["metadata"]["name"] for role in rendered.of_kind("Role", "ClusterRole")]
    assert [binding["roleRef"]["name"] for binding in bindings] == [
        role for role in roles if role not in users
    ]
    assert users <= set(roles)
