"""Rollouts behind ingress-nginx: after every write every Ingress has ready pods."""

from collections.abc import Callable

import pytest

from halimede.api.base import Manifest
from halimede.api.status import Outcome, State
from harness.fake_behaviour import Behaviour
from harness.fake_spec import SPEC
from tests.support.ingress_cluster import STORIES, IngressCluster, Story, loses_nothing, serving

INGRESS = {"host": "digits.example.com", "tlsSecretName": "digits-tls"}
NGINX = "nginx.ingress.kubernetes.io"


def served(strategy: str = "Canary") -> IngressCluster:
    """Make a cluster in which a first revision serves HTTP and gRPC."""
    return serving({"type": "Ingress", "ingress": INGRESS}, strategy)


def entry(cluster: IngressCluster) -> str:
    """Return the revision behind the main Ingresses, which both use the entry Service."""
    for name in ("digits", "digits-grpc"):
        assert backend(cluster, name) == "digits"
    selector: Manifest = cluster.objects["Service", "digits"]["spec"]["selector"]
    return str(selector["halimede.dev/revision"])


def backend(cluster: IngressCluster, ingress: str) -> str:
    """Return the backend Service of an Ingress."""
    rule = cluster.objects["Ingress", ingress]["spec"]["rules"][0]
    return str(rule["http"]["paths"][0]["backend"]["service"]["name"])


def canaries(cluster: IngressCluster) -> list[int]:
    """Return the weights of the canary Ingresses."""
    return [
        int(one["metadata"]["annotations"][f"{NGINX}/canary-weight"])
        for (kind, name), one in cluster.objects.items()
        if kind == "Ingress" and name.endswith("-canary")
    ]


def without_control(cluster: IngressCluster) -> IngressCluster:
    """Disable the control share."""
    cluster.edit(lambda spec: spec["rollout"]["canary"].update(controlPercent=0))
    return cluster


@pytest.mark.transition("full-scale-ready")
def test_main_stays_with_stable_until_the_commit() -> None:
    """Given a control share, the main Ingresses change only at the commit, the canaries later."""
    cluster = served()
    old = cluster.stable
    cluster.model(2).until(lambda: cluster.state is State.BAKING)
    new = cluster.rollout and cluster.rollout.revision
    assert (entry(cluster), canaries(cluster)) == (old, [90, 90])
    begun = len(cluster.writes)
    cluster.until(lambda: cluster.state is State.DRAINING)
    assert (entry(cluster), canaries(cluster)) == (new, [])
    writes = [one for one, _ in cluster.writes[begun:]]
    moved = writes.index("apply Service/digits")
    assert moved < writes.index("delete Ingress/digits-canary")
    assert moved < writes.index("delete Ingress/digits-grpc-canary")
    cluster.run(300)
    assert (cluster.ready(), cluster.lost, cluster.empty) == (True, 0.0, [])


@pytest.mark.transition("control-dropped")
def test_main_leaves_a_stable_revision_that_loses_its_pods_in_the_bake() -> None:
    """Given a control share, the main Ingresses lead to the new pods in the next pass."""
    cluster = served()
    cluster.behaviours[SPEC["model"]["storageUri"]] = old = Behaviour()
    cluster.model(2).until(lambda: cluster.state is State.BAKING)
    new = cluster.rollout and cluster.rollout.revision
    old.load_seconds = 1e9
    cluster.settle()
    assert (entry(cluster), canaries(cluster)) == (new, [100, 100])
    cluster.tick(1.0)
    cluster.lost = 0.0  # requests until the proxy has the new configuration
    cluster.run(600)
    assert (cluster.rollout, cluster.stable, cluster.lost) == (None, new, 0.0)


def test_main_moves_before_the_canary_goes() -> None:
    """The main Ingresses change to the new pods before the canaries are deleted."""
    cluster = without_control(served())
    old = cluster.stable
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    new = cluster.rollout and cluster.rollout.revision
    assert (entry(cluster), canaries(cluster)) == (old, [20, 20])
    cluster.until(lambda: cluster.state is State.PROMOTING)
    assert (entry(cluster), canaries(cluster)) == (new, [100, 100])
    cluster.until(cluster.ready)
    assert (entry(cluster), canaries(cluster)) == (new, [])
    writes = [one for one, _ in cluster.writes]
    assert "apply Ingress/digits" not in writes[writes.index("apply Ingress/digits-canary") :]


def test_stable_may_vanish_once_main_has_moved() -> None:
    """Given a bake with all traffic, no request needs the old revision's pods."""
    cluster = without_control(served())
    cluster.behaviours[SPEC["model"]["storageUri"]] = old = Behaviour()
    cluster.model(2).until(lambda: cluster.state is State.PROMOTING)
    cluster.tick(5.0)
    old.load_seconds = 1e9
    cluster.run(600)
    assert (cluster.rollout, cluster.lost) == (None, 0.0)


def test_canary_that_loses_its_pods_is_shed() -> None:
    """Given a canary that loses its pods, its Ingresses are deleted in the next pass."""
    cluster = served()
    behaviour = Behaviour()
    cluster.model(2, behaviour).until(lambda: cluster.state is State.ANALYSING)
    behaviour.load_seconds = 1e9
    mains = [cluster.objects["Ingress", name] for name in ("digits", "digits-grpc")]
    cluster.settle()
    assert (canaries(cluster), entry(cluster)) == ([], cluster.stable)
    assert [cluster.objects["Ingress", name] for name in ("digits", "digits-grpc")] == mains
    cluster.run(300)
    assert (cluster.lost, cluster.condition("Ready")) == (0.0, ("False", "CanaryFailed"))


@pytest.mark.parametrize(("strategy", "story"), STORIES.values(), ids=STORIES)
def test_any_write_may_be_the_last(strategy: str, story: Story) -> None:
    """Given an operator that is killed for a minute after any write, no request is lost."""
    loses_nothing(served(strategy), story)


@pytest.mark.parametrize("prepared", [served, lambda: without_control(served())])
def test_aborted_promotion_goes_back_at_once(prepared: Callable[[], IngressCluster]) -> None:
    """Given an abort before or after the main Ingresses change, traffic is back in one pass."""
    cluster = prepared()
    old = cluster.stable
    cluster.model(2).until(lambda: cluster.state is State.PROMOTING)
    cluster.command("abort@1").reconcile()
    assert (entry(cluster), canaries(cluster)) == (old, [])
    cluster.until(lambda: cluster.rollout is None)
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.outcome is Outcome.ABORTED
    assert (cluster.lost, cluster.empty) == (0.0, [])
