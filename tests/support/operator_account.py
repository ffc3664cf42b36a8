"""The operator's account on a real API server, with the rights and the policies of the chart."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from localcluster.access import ClusterError
from localcluster.cluster import Cluster
from tests.chart.rendering import Helm
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
)
_ANY_SPEC = {"podTemplate": "Full", "ingressAnnotations": ["*"], "serviceAccounts": ["*"]}
"""Policies hold in all namespaces; `tests/chart/test_specs.py` is about other values."""
_DENIED = "only objects that have an owner reference to a ModelDeployment"


@dataclass(frozen=True, slots=True)
class OperatorAccount:
    """The service account of the chart's Deployment."""

    cluster: Cluster
    user: str
    """Its name in RBAC and in policies."""
    kubeconfig: Path
    """Credentials of the account."""

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as the account; return its output, or why it failed."""
        try:
            return self.cluster.kubectl(*arguments, f"--as={self.user}", input=text)
        except ClusterError as error:
            return str(error)


def install(cluster: Cluster, folder: Path) -> OperatorAccount:
    """Install the account with its rights, and wait until the policies are active."""
    rendered = Helm.built(folder).rendered({"operator": _ANY_SPEC})
    cluster.kubectl("create", "namespace", NAMESPACE)
    given = yaml.safe_dump_all(rendered.of_kind(*_KINDS))
    cluster.kubectl("apply", "--filename=-", input=given)
    name = rendered.only("ServiceAccount")["metadata"]["name"]
    token = cluster.kubectl("create", "token", name, f"--namespace={NAMESPACE}", "--duration=8h")
    credentials = yaml.safe_load(cluster.kubeconfig.read_text())
    credentials["users"][0]["user"] = {"token": token.strip()}
    kubeconfig = folder / "operator.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(credentials))
    account = OperatorAccount(cluster, f"system:serviceaccount:{NAMESPACE}:{name}", kubeconfig)
    create = ("create", "configmap", "probe", "--namespace=default", "--dry-run=server")
    wait_until(lambda: account.kubectl(*create), lambda answer: _DENIED in answer)
    return account
