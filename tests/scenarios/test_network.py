"""NetworkPolicies in rollouts: when revisions get them, and when they lose them."""

import copy
from dataclasses import replace

import pytest

from halimede.plan.planner import decide
from halimede.render.platform import NetworkSettings
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import PLATFORM, FakeCluster
from harness.fake_spec import SPEC

ISOLATING = replace(PLATFORM, network=NetworkSettings())
GATEWAY = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}


def isolated() -> FakeCluster:
    """Return a cluster that serves a first revision with a NetworkPolicy."""
    cluster = FakeCluster(platform=ISOLATING)
    cluster.until(cluster.ready)
    cluster.lost = 0.0
    return cluster


def policies(cluster: FakeCluster) -> set[str]:
    """Return the names of the NetworkPolicies."""
    return {name for kind, name in cluster.objects if kind == "NetworkPolicy"}


def writes(cluster: FakeCluster) -> list[str]:
    """Return what was written, in this order."""
    return [write for write, _ in cluster.writes]


def test_the_first_pods_are_isolated_from_the_start() -> None:
    """The NetworkPolicy is there before the Deployment."""
    cluster = isolated()
    name = f"digits-{cluster.stable}"
    assert policies(cluster) == {name}
    order = writes(cluster)
    policy, deployment = f"apply NetworkPolicy/{name}", f"apply Deployment/{name}"
    assert order.index(policy) < order.index(deployment)


def test_an_upgrade_isolates_no_pod_that_serves(cluster: FakeCluster) -> None:
    """Given a model from before, it keeps its connections, and is shown as outdated."""
    before = cluster.stable
    cluster.platform = ISOLATING
    cluster.run(600)
    assert (policies(cluster), cluster.rollout, cluster.stable) == (set(), None, before)
    assert cluster.parsed.newer_revision not in (None, before)


def test_the_next_rollout_judges_the_isolation(cluster: FakeCluster) -> None:
    """Given another model after the upgrade, only the new revision's pods are isolated."""
    before = cluster.stable
    cluster.platform = ISOLATING
    cluster.model(2).until(lambda: cluster.rollout is not None and cluster.rollout.weight > 0)
    assert cluster.rollout is not None
    assert policies(cluster) == {f"digits-{cluster.rollout.revision}"}
    assert cluster.stable == before
    cluster.until(cluster.ready)
    assert (policies(cluster), cluster.lost) == ({f"digits-{cluster.stable}"}, 0.0)


def test_pods_stay_isolated_until_they_have_ended() -> None:
    """Given a rollout that is over, the old NetworkPolicy goes after the old Deployment."""
    cluster = isolated()
    old = f"digits-{cluster.stable}"
    cluster.model(2).until(lambda: f"delete NetworkPolicy/{old}" in writes(cluster))
    order = writes(cluster)
    deleted = order.index(f"delete Deployment/{old}")
    assert deleted < order.index(f"delete NetworkPolicy/{old}")
    assert policies(cluster) == {f"digits-{cluster.stable}"}


def test_other_peers_apply_at_once_and_without_a_rollout() -> None:
    """Given a gateway that the administrator has set, the NetworkPolicy names it."""
    cluster = isolated()
    stable = cluster.stable
    cluster.platform = replace(PLATFORM, network=NetworkSettings(gateway=(GATEWAY,)))
    cluster.run(310)
    policy = cluster.objects["NetworkPolicy", f"digits-{stable}"]
    assert policy["spec"]["ingress"][0]["from"] == [GATEWAY]
    assert (cluster.rollout, cluster.stable) == (None, stable)


def test_without_the_setting_the_policies_are_deleted() -> None:
    """Given an administrator who wants none, running pods are opened at once."""
    cluster = isolated()
    stable = cluster.stable
    cluster.platform = PLATFORM
    cluster.run(310)
    assert (policies(cluster), cluster.rollout, cluster.stable) == (set(), None, stable)


def test_drift_is_repaired() -> None:
    """Given a NetworkPolicy that is deleted or opened, it is restored."""
    cluster = isolated()
    key = "NetworkPolicy", f"digits-{cluster.stable}"
    spec = cluster.objects[key]["spec"]
    cluster.tamper(*key)["spec"] = spec | {"ingress": [{}]}
    cluster.settle()
    assert cluster.objects[key]["spec"] == spec
    cluster.objects.pop(key)
    cluster.settle()
    assert cluster.objects[key]["spec"] == spec


def test_no_pod_starts_without_its_policy() -> None:
    """Given a foreign object with the name, there are no pods, and the condition names it."""
    target = isolated().stable
    cluster = FakeCluster(platform=ISOLATING)
    cluster.occupy("NetworkPolicy", f"digits-{target}")
    cluster.run(120)
    assert cluster.condition("Ready") == ("False", "NameTaken")
    assert f"NetworkPolicy digits-{target} exists and has no owner" in cluster.message("Ready")
    assert cluster.pods == {}
    del cluster.objects["NetworkPolicy", f"digits-{target}"]
    cluster.until(cluster.ready, 60)
    assert policies(cluster) == {f"digits-{target}"}


def test_a_taken_name_holds_the_rollout() -> None:
    """Given a foreign object with the name of the canary's policy, the rollout waits for it."""
    other = isolated().model(2)
    other.until(lambda: other.rollout is not None)
    assert other.rollout is not None
    key = "NetworkPolicy", f"digits-{other.rollout.revision}"
    cluster = isolated()
    stable = cluster.stable
    cluster.occupy(*key)
    cluster.model(2).run(4000)
    assert cluster.condition("Ready") == ("False", "NameTaken")
    assert (cluster.rollout is not None, cluster.stable) == (True, stable)
    assert ("Deployment", key[1]) not in cluster.objects
    del cluster.objects[key]
    cluster.until(cluster.ready)
    assert (cluster.stable, cluster.lost) == (other.rollout.revision, 0.0)


def test_a_lost_record_opens_no_pod() -> None:
    """Given a stable revision whose record was deleted, its NetworkPolicy stays."""
    cluster = isolated()
    stable = cluster.stable
    cluster.model(2).until(lambda: cluster.weights[-1].get(stable) == 80)
    cluster.objects.pop(("ConfigMap", f"digits-{stable}"))
    cluster.settle()
    assert "is lost" in cluster.message("Ready")
    assert f"digits-{stable}" in policies(cluster)


@pytest.mark.parametrize("first", [True, False])
def test_resolver_is_isolated_until_its_pod_has_ended(*, first: bool) -> None:
    """Given a Job that is deleted while its pod runs, the NetworkPolicy stays until that ends."""
    spec = copy.deepcopy(SPEC)
    cluster = FakeCluster(platform=ISOLATING, spec=spec)
    if first:
        never = Behaviour(resolve_seconds=1e9)
        cluster.behaviours[spec["model"]["storageUri"]] = never
    else:
        cluster.until(cluster.ready)
        cluster.model(2, Behaviour(resolve_seconds=1e9))
    del cluster.spec["model"]["sha256"]
    cluster.run(60)
    (job,) = (name for kind, name in cluster.objects if kind == "Job")
    pods = cluster.observe().resolvers
    cluster.command("abort@1").reconcile()
    assert ("Job", job) not in cluster.objects
    assert job in policies(cluster)
    plan = decide(
        replace(cluster.observe(), resolvers=pods), cluster.renderer, cluster.platform, cluster.now
    )
    assert not plan.deletes
    cluster.run(60)
    assert job not in policies(cluster)
