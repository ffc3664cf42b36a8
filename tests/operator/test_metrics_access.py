"""Who may read the metrics, decided by a real API server, with the rights of the chart."""

import json
from pathlib import Path

import pytest
import yaml

from localcluster.cluster import Cluster
from tests.operator.conftest import Process, Start
from tests.operator.reading import answer
from tests.support.operator_account import OperatorAccount
from tests.support.waiting import wait_until

READER = "h-halimede-metrics-reader"
"""The ClusterRole of the release that the operator's account is from."""
PROTECTED = {"HALIMEDE_METRICS_AUTHENTICATION": "true"}


@pytest.fixture
def process(start: Start) -> Process:
    """Start an operator that protects its metrics."""
    return start(**PROTECTED)


def token_of(api_server: Cluster, namespace: str, name: str) -> str:
    """Create a service account; return a token of it."""
    api_server.kubectl("create", "serviceaccount", name, "-n", namespace)
    return api_server.kubectl("create", "token", name, "-n", namespace).strip()


def bind(api_server: Cluster, namespace: str, name: str) -> None:
    """Give a service account the right to read the metrics."""
    account = f"--serviceaccount={namespace}:{name}"
    binding = f"{namespace}-{name}"
    api_server.kubectl("create", "clusterrolebinding", binding, f"--clusterrole={READER}", account)


def test_only_an_account_with_the_right_reads_the_metrics(
    api_server: Cluster, namespace: str, process: Process
) -> None:
    """Without a token it is 401, without the right 403; the probes need no token."""
    reader, other = (token_of(api_server, namespace, name) for name in ("reader", "other"))
    bind(api_server, namespace, "reader")
    assert answer(process, "/metrics")[0] == 401
    assert answer(process, "/metrics", "wrong")[0] == 401
    status, text = answer(process, "/metrics", other)
    assert status == 403
    assert f"system:serviceaccount:{namespace}:other may not get /metrics" in text
    status, text = wait_until(
        lambda: answer(process, "/metrics", reader), lambda found: found[0] == 200
    )
    assert "halimede_reconcile_seconds_count" in text
    for path in ("/healthz", "/readyz"):
        assert answer(process, path)[0] == 200


def test_a_new_binding_is_enough(api_server: Cluster, namespace: str, process: Process) -> None:
    """Given an account that is bound after it was denied, it can read soon."""
    token = token_of(api_server, namespace, "late")
    assert answer(process, "/metrics", token)[0] == 403
    bind(api_server, namespace, "late")
    wait_until(lambda: answer(process, "/metrics", token)[0], lambda status: status == 200)


def test_a_replica_that_does_not_lead_reviews_tokens(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """Every replica is scraped, and a review is no write that only the leader may send."""
    lease = ("h-halimede", "--namespace", "halimede-system")
    api_server.kubectl("delete", "lease", *lease, "--ignore-not-found")
    first, second = (
        start(**PROTECTED, HALIMEDE_LEASE="halimede-system/h-halimede") for _ in range(2)
    )
    token = token_of(api_server, namespace, "reader")
    bind(api_server, namespace, "reader")
    for replica in (first, second):
        wait_until(
            lambda replica=replica: answer(replica, "/metrics", token),  # type: ignore[misc]
            lambda found: found[0] == 200,
        )


def test_without_the_rights_of_the_chart_metrics_are_denied(
    api_server: Cluster,
    operator_account: OperatorAccount,
    namespace: str,
    start: Start,
    tmp_path: Path,
) -> None:
    """Given an operator that may not create reviews, it is 500, with the cause in the log."""
    name = "without-reviews"
    token = token_of(api_server, namespace, name)
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{namespace}-{name}"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": operator_account.user.rpartition(":")[2],
        },
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    api_server.kubectl("create", "-f", "-", input=json.dumps(binding))
    credentials = yaml.safe_load(operator_account.kubeconfig.read_text())
    credentials["users"][0]["user"] = {"token": token}
    kubeconfig = tmp_path / "without-reviews.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(credentials))
    process = start(**PROTECTED, KUBECONFIG=str(kubeconfig))
    assert answer(process, "/metrics", token)[0] == 500
    assert "tokenreviews" in process.log.read_text()
    api_server.kubectl("delete", "clusterrolebinding", f"{namespace}-{name}")
