"""A ModelDeployment in kubectl."""

import json
from collections.abc import Iterator

import pytest

from halimede.api.conditions import Condition, ConditionType
from halimede.api.reasons import Reason
from halimede.api.rollout import Strategy
from halimede.api.spec import ModelDeploymentSpec
from halimede.api.status import (
    Evidence,
    RevisionStatus,
    RolloutStatus,
    SourceEvidence,
    State,
    Status,
)
from halimede.api.v1alpha1 import ModelDeployment
from localcluster.cluster import Cluster, ClusterError
from tests.api.objects import BY_SERVICE, model_deployment

NAME = "mdeploy/kubectl"


@pytest.fixture
def applied(api_server: Cluster) -> Iterator[Cluster]:
    """Create one ModelDeployment."""
    manifest = json.dumps(model_deployment(BY_SERVICE, name="kubectl"))
    api_server.kubectl("apply", "-f-", input=manifest)
    yield api_server
    api_server.kubectl("delete", NAME, "--ignore-not-found")


def report(cluster: Cluster, status: Status) -> None:
    """Write the status, as Halimede would."""
    patch = json.dumps({"status": status.to_manifest()})
    cluster.kubectl("patch", NAME, "--subresource=status", "--type=merge", f"-p={patch}")


def ready(observed: int) -> Status:
    """Return a status that is Ready for a generation."""
    condition = Condition(
        type=ConditionType.READY,
        status="True",
        reason=Reason.SERVING,
        message="Revision a1b2c3d4 serves.",
        observed_generation=observed,
        last_transition_time=0.0,
    )
    return Status(
        observed_generation=observed,
        stable=RevisionStatus(revision="a1b2c3d4"),
        url="http://digits.example.com",
        conditions=(condition,),
    )


EVIDENCE = Evidence(
    levels=(0.05, 0.01),
    verdict="Continue",
    sources=(
        SourceEvidence(
            source="Router",
            begun_at=1.0,
            watermark=2.5,
            log_rel=(0.25, -1.5),
            log_abs=(1e-6, 3.0),
        ),
    ),
)
ROLLING_OUT = Status(
    observed_generation=1,
    stable=RevisionStatus(revision="a1b2c3d4", since=1.0),
    target=RevisionStatus(revision="e5f60718", since=2.0),
    rollout=RolloutStatus(
        id="7d44b6c4-0b7c-5a3f-9f3b-8a9d5a3f7c11",
        strategy=Strategy.CANARY,
        base="a1b2c3d4",
        revision="e5f60718",
        state=State.ANALYSING,
        state_since=3.0,
        started_at=2.0,
        last_progress_at=3.0,
        step=1,
        steps=3,
        weight=25,
        evidence=EVIDENCE,
    ),
)


def test_columns(applied: Cluster) -> None:
    """`kubectl get` shows the state of the model."""
    report(applied, ready(observed=1))
    head, row = applied.kubectl("get", NAME, "-owide").splitlines()
    assert head.split() == [
        "NAME", "READY", "REASON", "STRATEGY", "STEP", "WEIGHT", "STABLE", "CANARY", "AGE",
        "URL", "MESSAGE",
    ]  # fmt: skip
    assert row.split()[:5] == ["kubectl", "True", "Serving", "BlueGreen", "a1b2c3d4"]
    assert row.endswith("http://digits.example.com   Revision a1b2c3d4 serves.")


def test_columns_of_a_rollout(applied: Cluster) -> None:
    """During a rollout the columns have its revision, step and weight."""
    report(applied, ROLLING_OUT)
    row = applied.kubectl("get", NAME, "--no-headers")
    assert row.split()[:6] == ["kubectl", "BlueGreen", "2/3", "25", "a1b2c3d4", "e5f60718"]


def test_status_survives(applied: Cluster) -> None:
    """Every field of the status is stored as written, because a rollout resumes from it."""
    report(applied, ROLLING_OUT)
    stored = json.loads(applied.kubectl("get", NAME, "-ojson"))
    assert ModelDeployment.from_manifest(stored).status == ROLLING_OUT


def test_unseen_is_not_ready(applied: Cluster) -> None:
    """Before the first reconcile the status says that there was none."""
    status = applied.kubectl("get", NAME, "-ojsonpath={.status}")
    assert json.loads(status) == {"observedGeneration": -1}


def test_wait(applied: Cluster) -> None:
    """`kubectl wait` waits for a Ready of the current generation."""
    report(applied, ready(observed=0))
    with pytest.raises(ClusterError, match="timed out"):
        applied.kubectl("wait", "--for=condition=Ready", NAME, "--timeout=1s")
    report(applied, ready(observed=1))
    applied.kubectl("wait", "--for=condition=Ready", NAME, "--timeout=180s")


def test_delete(applied: Cluster) -> None:
    """`kubectl delete` deletes the object at once, as it has no finalizer."""
    applied.kubectl("delete", NAME, "--timeout=180s")
    assert applied.kubectl("get", "mdeploy", "--ignore-not-found", "kubectl") == ""


def test_short_name_and_category(applied: Cluster) -> None:
    """`mdeploy` and the category `triton` list it; `all` does not, to avoid deletions."""
    assert "kubectl" in applied.kubectl("get", "triton")
    assert "kubectl" not in applied.kubectl("get", "all")


def test_explain(api_server: Cluster) -> None:
    """`kubectl explain` describes each field of the spec."""
    output = api_server.kubectl("explain", "modeldeployment.spec")
    assert str(ModelDeploymentSpec.__doc__) in " ".join(output.split())
    assert "How clients reach the model." in output
    steps = api_server.kubectl("explain", "modeldeployment.spec.rollout.canary.steps")
    assert "Percentage of the requests" in steps
