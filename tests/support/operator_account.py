"""The operator's account on a real API server, with the rights and policies of the chart."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from localcluster.access import ClusterError
from localcluster.cluster import Cluster
from tests.chart.rendering import Helm, Rendered
from tests.support.audit_log import AuditLog
from tests.support.waiting import wait_until

NAMESPACE = "halimede-system"
"""The release's namespace."""
_KINDS = (
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "FlowSchema",
)
_ANY_SPEC = {"podTemplate": "Full", "ingressAnnotations": ["*"], "serviceAccounts": ["*"]}
"""Policies hold in all namespaces; `tests/chart/test_specs.py` is about other values."""
_DENIED = "only objects that have an owner reference to a ModelDeployment"


@dataclass(frozen=True, slots=True)
class OperatorAccount:
    """The service account of the chart's Deployment."""

    cluster: Cluster
    rendered: Rendered
    """The release that it belongs to."""
    user: str
    """Its name in RBAC and in policies."""
    kubeconfig: Path
    """Credentials of the account."""

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables of the operator's container."""
        pod = self.rendered.only("Deployment")["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        return {one["name"]: one["value"] for one in container["env"] if "value" in one}

    def audit(self) -> AuditLog:
        """Return its requests from now on."""
        return AuditLog(self.cluster, self.user)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as the account; return its output, or why it failed."""
        try:
            return self.cluster.kubectl(*arguments, f"--as={self.user}", input=text)
        except ClusterError as error:
            return str(error)


def install(
    cluster: Cluster,
    folder: Path,
    values: Mapping[str, Any] | None = None,
    namespace: str = NAMESPACE,
) -> OperatorAccount:
    """Install the account with its rights, and wait until they and the policies are active.

    Args:
        cluster: It has the namespaces in which the operator works.
        folder: The folder for the credentials.
        values: The values of the chart.
        namespace: The namespace of the release, which is created.
    """
    given = {"operator": _ANY_SPEC, **(values or {})}
    rendered = Helm.built(folder).rendered(given, namespace)
    cluster.kubectl("create", "namespace", namespace)
    objects = yaml.safe_dump_all(rendered.of_kind(*_KINDS))
    cluster.kubectl("apply", "--filename=-", input=objects)
    name = rendered.only("ServiceAccount")["metadata"]["name"]
    token = cluster.kubectl("create", "token", name, f"--namespace={namespace}", "--duration=8h")
    credentials = yaml.safe_load(cluster.kubeconfig.read_text())
    credentials["users"][0]["user"] = {"token": token.strip()}
    kubeconfig = folder / "operator.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(credentials))
    user = f"system:serviceaccount:{namespace}:{name}"
    account = OperatorAccount(cluster, rendered, user, kubeconfig)
    (watched, *_) = given.get("watchNamespaces") or ["default"]
    create = ("create", "configmap", "probe", f"--namespace={watched}", "--dry-run=server")
    wait_until(lambda: account.kubectl(*create), lambda answer: _DENIED in answer)
    lease = ("auth", "can-i", "create", "leases", f"--namespace={namespace}")
    wait_until(lambda: account.kubectl(*lease), lambda answer: answer.startswith("yes"))
    return account
