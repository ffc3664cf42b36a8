"""Complete rollouts by Recreate: an intended outage, as short as the pods allow."""

import pytest

from halimede.api.status import State
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster


@pytest.fixture
def scarce(cluster: FakeCluster) -> FakeCluster:
    """Make a cluster without room for two revisions."""
    return cluster.edit(
        lambda spec: spec["rollout"].update(strategy="Recreate", recreate={"bakeSeconds": 120})
    )


def most_pods(cluster: FakeCluster, seconds: float) -> int:
    """Let time pass, and return the highest number of pods."""
    most, end = 0, cluster.now + seconds
    while cluster.now < end:
        cluster.settle()
        most = max(most, len(cluster.pods))
        cluster.tick(5.0)
    return most


@pytest.mark.transition("recreate-started", "recreate-old-pods-ended", "recreate-full-scale-ready")
def test_outage_is_reported_and_ends(scarce: FakeCluster) -> None:
    """Given a new spec, nothing serves while its pods load, and the conditions say why."""
    scarce.model(2, Behaviour(load_seconds=60)).until(lambda: scarce.state is State.STARTING)
    scarce.run(10)
    assert scarce.condition("Available") == ("False", "Recreating")
    assert scarce.condition("Reconciling") == ("True", "Recreating")
    scarce.until(lambda: scarce.state is State.BAKING)
    assert scarce.condition("Available") == ("True", "Serving")
    lost = scarce.lost
    assert 0 < lost <= 100 * scarce.requests_per_second
    scarce.until(scarce.ready)
    assert (scarce.lost, scarce.parsed.warm_revisions) == (lost, ())
    assert "Recreating" in scarce.reasons


@pytest.mark.transition("recreate-started")
def test_both_never_run(scarce: FakeCluster) -> None:
    """Given room for two pods, there are never more, in a rollout or an abort."""
    scarce.model(2, Behaviour(error_rate=0.5, load_seconds=20))
    assert most_pods(scarce, 600) == 2
    assert scarce.parsed.last_rollout is not None
    assert scarce.parsed.last_rollout.reason == "AnalysisFailed"
    assert scarce.condition("Available") == ("True", "Serving")
    assert scarce.condition("Ready") == ("False", "CanaryFailed")
    assert scarce.weights[-1] == {scarce.stable: 100}


@pytest.mark.transition("recreate-past-deadline")
def test_model_that_never_loads_gives_its_place_back(scarce: FakeCluster) -> None:
    """Given a model that never loads, the old revision returns after the deadline."""
    scarce.edit(lambda spec: spec["rollout"].update(progressDeadlineSeconds=120))
    scarce.model(2, Behaviour(load_seconds=9999)).run(60)
    assert scarce.condition("Available") == ("False", "Recreating")
    scarce.until(lambda: scarce.rollout is None, 300)
    assert scarce.condition("Available") == ("True", "Serving")
    assert scarce.condition("Ready") == ("False", "CanaryFailed")


@pytest.mark.transition("recreate-started", "recreate-abort-drained")
@pytest.mark.parametrize("bad", [False, True])
def test_autoscaled_revision_keeps_its_number_of_pods(scarce: FakeCluster, *, bad: bool) -> None:
    """Given an autoscaler, the next revision, or the old one, starts with as many pods."""
    scarce.edit(lambda spec: spec.pop("replicas"))
    scarce.edit(lambda spec: spec.update(autoscaling={"minReplicas": 1, "maxReplicas": 9}))
    scarce.run(60)
    old = scarce.stable
    scarce.tamper("Deployment", f"digits-{old}")["spec"]["replicas"] = 5
    scarce.run(60)
    scarce.model(2, Behaviour(error_rate=0.5 if bad else 0.0)).run(5)
    scarce.until(lambda: scarce.rollout is None)
    scarce.run(10)
    scaler = scarce.objects["HorizontalPodAutoscaler", "digits"]
    assert scarce.replicas(str(scarce.stable)) == 5
    assert (scarce.stable == old) is bad
    assert scaler["spec"]["scaleTargetRef"]["name"] == f"digits-{scarce.stable}"
