"""What the chart creates while it is uninstalled."""

from typing import Any

import pytest

from tests.chart.rendering import HOOK, Helm, Rendered

DELETED = "helm.sh/hook-delete-policy"


def of_kind(rendered: Rendered, kind: str) -> list[dict[str, Any]]:
    """Return the hooks of a kind."""
    return [one for one in rendered.hooks if one["kind"] == kind]


def test_everything_is_created_after_the_release_is_deleted_and_goes(helm: Helm) -> None:
    """The operator would set the finalizer again, so the Job runs when it has lost its rights."""
    hooks = helm.rendered({}).hooks
    assert sorted(one["kind"] for one in hooks) == [
        "ClusterRole",
        "ClusterRoleBinding",
        "Job",
        "ServiceAccount",
    ]
    annotations = [one["metadata"]["annotations"] for one in hooks]
    assert {one[HOOK] for one in annotations} == {"post-delete"}
    assert {one[DELETED] for one in annotations} == {"before-hook-creation,hook-succeeded"}


@pytest.mark.parametrize(
    ("values", "kind", "namespaces"),
    [({}, "ClusterRole", [None]), ({"watchNamespaces": ["a", "b"]}, "Role", ["a", "b"])],
    ids=["cluster", "namespaces"],
)
def test_the_job_may_remove_finalizers_and_no_more(
    helm: Helm, values: dict[str, Any], kind: str, namespaces: list[str | None]
) -> None:
    """It has its rights where the operator works, and patches ModelDeployments only."""
    rendered = helm.rendered(values)
    roles, bindings = of_kind(rendered, kind), of_kind(rendered, f"{kind}Binding")
    (job,) = of_kind(rendered, "Job")
    pod = job["spec"]["template"]["spec"]
    assert [one["metadata"].get("namespace") for one in roles] == namespaces
    assert [one["metadata"].get("namespace") for one in bindings] == namespaces
    rule = {
        "apiGroups": ["halimede.dev"],
        "resources": ["modeldeployments"],
        "verbs": ["get", "list", "patch"],
    }
    assert [one["rules"] for one in roles] == [[rule]] * len(roles)
    assert {one["subjects"][0]["name"] for one in bindings} == {pod["serviceAccountName"]}
    (container,) = pod["containers"]
    operator = rendered.only("Deployment")["spec"]["template"]["spec"]
    assert container["securityContext"] == operator["containers"][0]["securityContext"]
    assert pod["securityContext"] == operator["securityContext"]
    (variable,) = container["env"]
    named = [one for one in namespaces if one]
    assert variable == {"name": "HALIMEDE_NAMESPACES", "value": ",".join(named)}


@pytest.mark.parametrize(
    "values", [{"uninstall": {"removeFinalizers": False}}, {"rbac": {"create": False}}]
)
def test_the_job_can_be_left_out(helm: Helm, values: dict[str, Any]) -> None:
    """Without it, and where the chart creates no rights, there is no hook."""
    assert helm.rendered(values).hooks == ()


def test_the_name_of_the_job_is_short_enough(helm: Helm) -> None:
    """A Job has at most 63 characters in its name, as it is a label of its pods."""
    (job,) = of_kind(helm.rendered({"fullnameOverride": "a" * 63}), "Job")
    assert len(job["metadata"]["name"]) <= 63
