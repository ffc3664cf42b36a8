import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest
import yaml

from halimede.adapters.kinds import CHILDREN, MODEL_DEPLOYMENT, WATCHED
from localcluster.access import ClusterError
from localcluster.cluster import Cluster
from tests.api.objects import BY_SERVICE, model_deployment
from tests.chart.rendering import Helm, Rendered
from tests.support.waiting import wait_until

SCOPES: dict[str, dict[str, Any]] = {
    "cluster": {},
    "namespaces": {"watchNamespaces": ["blue", "green"]},
}


CLUSTER_WIDE = {
    ("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("list", "watch")
}
"""What kopf needs if no namespaces are given."""


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
        | {(model.group, f"{model.plural}/status", verb) for verb in ("get", "patch", "update")}
        | {(model.group, f"{model.plural}/finalizers", "update")}
        | {("events.k8s.io", "events", verb) for verb in ("create", "patch")}
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [(SCOPES["cluster"], needed() | CLUSTER_WIDE), (SCOPES["namespaces"], needed())],
    ids=SCOPES,
)
def test_the_operator_may_do_what_it_does_and_no_more(
    helm: Helm, values: dict[str, Any], expected: set[tuple[str, str, str]]
) -> None:
    """The rules grant exactly the verbs for the kinds that it watches and writes."""
    granted = {
        (group, resource, verb)
        for rule in helm.rendered(values).rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert granted == expected


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
        "modeldeployments/status": {"get", "patch", "update"},
        "modeldeployments/finalizers": {"update"},
    }


def test_rights_end_at_the_namespaces_that_are_watched(helm: Helm) -> None:
    """With watchNamespaces each has one Role, and there is no cluster-wide rule."""
    rendered = helm.rendered(SCOPES["namespaces"])
    roles = rendered.of_kind("Role")
    bindings = rendered.of_kind("RoleBinding")
    assert [role["metadata"]["namespace"] for role in roles] == ["blue", "green"]
    assert [binding["metadata"]["namespace"] for binding in bindings] == ["blue", "green"]
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
    users = {f"{pod['serviceAccountName']}-{role}" for role in ("view", "edit", "operate")}
    roles = [role["metadata"]["name"] for role in rendered.of_kind("Role", "ClusterRole")]
    assert [binding["roleRef"]["name"] for binding in bindings] == [
        role for role in roles if role not in users
    ]
    assert users <= set(roles)


def patch_as(api_server: Cluster, user: str, name: str, patch: dict[str, Any]) -> str:
    """Patch a ModelDeployment as a user, and return the answer of the API server."""
    merge = ("--type=merge", f"--patch={json.dumps(patch)}")
    try:
        return api_server.kubectl("patch", "mdeploy", name, f"--as={user}", *merge)
    except ClusterError as error:
        return str(error)


def test_the_operator_cannot_write_a_spec(helm: Helm, api_server: Cluster) -> None:
    """It may patch the object, but the API server rejects changes of the spec."""
    rendered = helm.rendered(SCOPES["cluster"])
    kinds = ("ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy")
    given = rendered.of_kind(*kinds, "ValidatingAdmissionPolicyBinding")
    api_server.kubectl("apply", "-f-", input=yaml.safe_dump_all(given))
    asked = json.dumps(model_deployment(BY_SERVICE, name="guarded"))
    api_server.kubectl("apply", "-f-", input=asked)
    account = rendered.only("Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    operator = f"system:serviceaccount:halimede-system:{account}"
    patched = partial(patch_as, api_server, operator, "guarded")

    # Until the policy is active the patch succeeds; repeating it changes nothing.
    specs = ({"spec": {"replicas": number}} for number in count(2))
    denied = "the operator writes the finalizer and the status only"
    wait_until(lambda: patched(next(specs)), lambda said: denied in said)
    assert "patched" in patched({"metadata": {"finalizers": ["halimede.dev/route"]}})
    assert "patched" in patched({"metadata": {"finalizers": None}})
    assert "patched" in api_server.kubectl(
        "patch", "mdeploy", "guarded", "--type=merge", '--patch={"spec": {"replicas": 1}}'
    )
    api_server.kubectl("delete", "mdeploy", "guarded")
    api_server.kubectl("delete", "-f-", input=yaml.safe_dump_all(given))


@pytest.fixture
def installed(helm: Helm, api_server: Cluster) -> Iterator[Rendered]:
    """Install the chart's cluster-scoped objects."""
    rendered = helm.rendered(SCOPES["cluster"])
    kinds = ("ClusterRole", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    text = yaml.safe_dump_all(rendered.of_kind(*kinds))
    api_server.kubectl("apply", "-f-", input=text)
    yield rendered
    api_server.kubectl("delete", "-f-", input=text)


@pytest.fixture
def annotate(api_server: Cluster, installed: Rendered) -> Iterator[Callable[[str, str, str], str]]:
    """Return a function that gives a command as a user, in a name, and returns the answer."""
    release = installed.only("Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    api_server.kubectl("apply", "-f-", input=json.dumps(model_deployment(BY_SERVICE, name="led")))
    for user, roles in {"ann": ("edit", "operate"), "bob": ("edit",)}.items():
        for role in roles:
            api_server.kubectl(
                *("create", "rolebinding", f"{user}-{role}"),
                *(f"--clusterrole={release}-{role}", f"--user={user}"),
            )

    def give(user: str, command: str, by: str) -> str:
        annotations = {"halimede.dev/command": command, "halimede.dev/command-by": by}
        return patch_as(api_server, user, "led", {"metadata": {"annotations": annotations}})

    tokens = count(1)
    wait_until(
        lambda: give("ann", f"pause@{next(tokens)}", "nobody"),
        lambda said: "must be the name of the user who gives the command" in said,
    )
    yield give
    api_server.kubectl("delete", "mdeploy", "led")
    api_server.kubectl("delete", "rolebinding", "ann-edit", "ann-operate", "bob-edit")


def test_a_command_needs_a_right_and_the_own_name(
    annotate: Callable[[str, str, str], str],
) -> None:
    """Given two users who may edit, only the one who may operate gives commands, in her name."""
    assert "patched" in annotate("ann", "abort@1000", "ann")
    assert "set it to ann" in annotate("ann", "abort@1001", "bob")
    assert "bob may not give commands" in annotate("bob", "abort@1002", "bob")
    assert "bob may not give commands" in annotate("bob", "abort@1000", "bob")
    assert "patched" in annotate("bob", "", "")


def test_a_new_object_may_have_no_command_of_others(
    api_server: Cluster, annotate: Callable[[str, str, str], str]
) -> None:
    """Given an object that is created with a command, the same holds."""
    assert annotate
    manifest = model_deployment(BY_SERVICE, name="new")
    manifest["metadata"]["annotations"] = {"halimede.dev/command": "abort@1"}
    with pytest.raises(ClusterError, match="must be the name of the user"):
        api_server.kubectl("create", "-f-", input=json.dumps(manifest))
