"""How a ModelDeployment looks and behaves in kubectl."""

import json
from collections.abc import Iterator

import pytest

from halimede.api.base import Manifest
from local.cluster import Cluster, ClusterError
from tests.api.objects import BY_SERVICE, model_deployment

NAME = "mdeploy/kubectl"


@pytest.fixture
def applied(api_server: Cluster) -> Iterator[Cluster]:
    """An API server with one ModelDeployment."""
    manifest = json.dumps(model_deployment(BY_SERVICE, name="kubectl"))
    api_server.kubectl("apply", "-f-", input=manifest)
    yield api_server
    api_server.kubectl("delete", NAME, "--ignore-not-found")


def report(cluster: Cluster, observed: int) -> None:
    """Answer in the status, as Halimede would."""
    condition: Manifest = {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": "Revision a1b2c3d4 serves.",
        "observedGeneration": observed,
        "lastTransitionTime": "2026-01-02T03:04:05.000Z",
    }
    status = {
        "observedGeneration": observed,
        "stable": {"revision": "a1b2c3d4"},
        "url": "http://digits.example.com",
        "conditions": [condition],
    }
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", NAME, "--subresource=status", "--type=merge", f"-p={patch}")


def test_columns(applied: Cluster) -> None:
    """`kubectl get` shows at a glance how the model fares."""
    report(applied, observed=1)
    head, row = applied.kubectl("get", NAME, "-owide").splitlines()
    assert head.split() == [
        "NAME", "READY", "REASON", "STRATEGY", "STEP", "WEIGHT", "STABLE", "CANARY", "AGE",
        "URL", "MESSAGE",
    ]  # fmt: skip
    assert row.split()[:5] == ["kubectl", "True", "Serving", "BlueGreen", "a1b2c3d4"]
    assert row.endswith("http://digits.example.com   Revision a1b2c3d4 serves.")


def test_unseen_is_not_ready(applied: Cluster) -> None:
    """Until Halimede has looked, the status says that it has not."""
    status = applied.kubectl("get", NAME, "-ojsonpath={.status}")
    assert json.loads(status) == {"observedGeneration": -1}


def test_wait(applied: Cluster) -> None:
    """`kubectl wait` waits for a Ready that was found for the present spec."""
    report(applied, observed=0)
    with pytest.raises(ClusterError, match="timed out"):
        applied.kubectl("wait", "--for=condition=Ready", NAME, "--timeout=1s")
    report(applied, observed=1)
    applied.kubectl("wait", "--for=condition=Ready", NAME, "--timeout=10s")


def test_delete(applied: Cluster) -> None:
    """`kubectl delete` leaves nothing behind, for no finalizer holds anything."""
    applied.kubectl("delete", NAME, "--timeout=10s")
    assert applied.kubectl("get", "mdeploy", "--ignore-not-found", "kubectl") == ""


def test_short_name_and_category(applied: Cluster) -> None:
    """`mdeploy` and the category `triton` find it; `all` does not, lest models get deleted."""
    assert "kubectl" in applied.kubectl("get", "triton")
    assert "kubectl" not in applied.kubectl("get", "all")


def test_explain(api_server: Cluster) -> None:
    """`kubectl explain` says of each field of the spec what it is."""
    said = api_server.kubectl("explain", "modeldeployment.spec")
    assert "Which model to serve and how careful to be." in said
    assert "How clients reach the model." in said
    steps = api_server.kubectl("explain", "modeldeployment.spec.rollout.canary.steps")
    assert "Percentage of the requests." in steps
