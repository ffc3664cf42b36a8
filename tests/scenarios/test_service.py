"""Rollouts behind a plain Service: weights follow the pods, and no write empties it."""

import pytest

from halimede.api.status import State
from halimede.rollout.sizing.replicas import split_replicas
from harness.fake_behaviour import Behaviour
from tests.support.ingress_cluster import (
    STORIES,
    IngressCluster,
    Story,
    loses_nothing,
    promote,
    serving,
)

PODS = 4


def served(strategy: str = "Canary", replicas: int = PODS) -> IngressCluster:
    """Make a cluster in which a first revision serves behind a Service."""
    return serving({"type": "Service"}, strategy, replicas)


def pods(cluster: IngressCluster) -> tuple[int, int]:
    """Return the desired pods of the canary and of the stable revision."""
    assert cluster.rollout is not None
    revision, base = cluster.rollout.revision, cluster.rollout.base
    return cluster.replicas(revision) or 0, cluster.replicas(base) or 0


def at_weight(cluster: IngressCluster, weight: int) -> IngressCluster:
    """Run until a step is analysed."""
    return cluster.until(
        lambda: (
            (cluster.state, cluster.rollout and cluster.rollout.weight)
            == (State.ANALYSING, weight)
        )
    )


@pytest.mark.parametrize(("strategy", "story"), STORIES.values(), ids=STORIES)
def test_any_write_may_be_the_last(strategy: str, story: Story) -> None:
    """Given an operator that is killed for a minute after any write, no request is lost."""
    loses_nothing(served(strategy), story)


@pytest.mark.parametrize("replicas", [1, 2, 4, 9])
def test_pods_are_the_shares(replicas: int) -> None:
    """Given steps of 20 and 50 %, the Service selects pods of both revisions in that ratio."""
    cluster = served(replicas=replicas)
    cluster.model(2)
    for weight in (20, 50):
        at_weight(cluster, weight).tick(5.0)
        canary, stable = split_replicas(weight, replicas)
        assert pods(cluster) == (canary, stable)
        assert cluster.rollout is not None
        revision = cluster.rollout.revision
        assert cluster.shares()[revision] == pytest.approx(canary / (canary + stable))
        cluster.settle()
        assert cluster.rollout.actual_weight == round(100 * canary / (canary + stable))
    cluster.until(cluster.ready)
    assert cluster.shares() == {cluster.stable: 1.0}


def test_pods_that_are_replaced_one_by_one() -> None:
    """Given `capacityMode: Replace` and a kill after any write, no request is lost."""
    first = served(replicas=3)
    first.edit(lambda spec: spec["rollout"].update(capacityMode="Replace"))
    loses_nothing(first, promote)


def test_message_has_the_actual_weight() -> None:
    """Given two pods, the status says that a step of 20 % gets a third of the connections."""
    cluster = at_weight(served(replicas=2).model(2), 20)
    cluster.run(5)
    assert "33 % (by pods; desired: 20 %)" in cluster.message("Ready")


def test_stable_keeps_its_pods_until_the_canary_serves() -> None:
    """At any time as many pods serve as the spec asks for."""
    cluster = served()
    cluster.model(2, Behaviour(load_seconds=40.0))
    seen = set()
    for _ in range(400):
        cluster.settle()
        seen.add(len(cluster._behind(cluster.objects, "digits")) >= PODS)
        cluster.tick(5.0)
    assert (seen, cluster.rollout, cluster.lost) == ({True}, None, 0.0)


def test_canary_that_loses_its_pods_leaves_the_service() -> None:
    """Given a canary that loses its pods, only stable is selected, and gets its pods back."""
    cluster = served()
    behaviour = Behaviour()
    at_weight(cluster.model(2, behaviour), 50).run(10)
    behaviour.load_seconds = 1e9
    cluster.settle()
    cluster.run(20)
    assert cluster.shares() == {cluster.stable: 1.0}
    assert cluster.replicas(cluster.stable or "") == PODS
    cluster.run(300)
    assert (cluster.lost, cluster.condition("Ready")) == (0.0, ("False", "CanaryFailed"))


def test_abort_brings_stable_back_to_all_its_pods() -> None:
    """Given an abort at 50 %, only stable is selected at once and is then scaled up again."""
    cluster = at_weight(served().model(2), 50)
    cluster.run(10)
    assert pods(cluster) == (2, 2)
    cluster.command("abort@1").reconcile()
    entry = cluster.objects["Service", "digits"]["spec"]["selector"]
    assert entry["halimede.dev/revision"] == cluster.stable
    assert pods(cluster) == (2, PODS)
    cluster.until(lambda: cluster.rollout is None)
    assert (cluster.replicas(cluster.stable or ""), cluster.lost) == (PODS, 0.0)


def test_warm_revision_is_gone_before_pods_are_shared() -> None:
    """Given a warm revision, its pods are deleted before the Service selects all revisions."""
    cluster = served()
    first = cluster.stable
    cluster.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=86400))
    promote(cluster)
    assert cluster.replicas(first or "") == PODS
    at_weight(cluster.model(3), 20)
    assert {owner for owner, _ in cluster.pods.values()} == set(cluster.shares())
    assert first not in cluster.shares()


def test_foreign_pods_hold_the_first_share() -> None:
    """Given pods of another revision that do not end, the canary waits, and the status says so."""
    cluster = served()
    cluster.model(2).until(lambda: cluster.state is State.STARTING)
    cluster.foreign = 1
    cluster.run(120)
    assert (cluster.rollout and cluster.rollout.weight) == 0
    assert "of other revisions must terminate first" in cluster.message("Ready")
    cluster.foreign = 0
    cluster.until(cluster.ready)
