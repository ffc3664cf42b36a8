"""Complete rollbacks to revisions that served before, from their records."""

import copy

import pytest

from halimede.api.base import Manifest
from halimede.api.status import State
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster

LATER = 60.0
"""Seconds after which an old revision is no longer warm."""


@pytest.fixture
def served(cluster: FakeCluster) -> FakeCluster:
    """Make a cluster that has served three models; the older two are no longer warm."""
    cluster.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=30))
    for number in (2, 3):
        cluster.model(number).run(10).until(cluster.ready).run(LATER)
    cluster.lost = 0.0
    return cluster


def kept(cluster: FakeCluster, kind: str) -> set[str]:
    """Return the revisions that have a child of this kind."""
    result = {
        one["metadata"]["labels"].get("halimede.dev/revision")
        for (known, _), one in cluster.objects.items()
        if known == kind
    }
    return result - {None}


def pods(cluster: FakeCluster, revision: str | None) -> Manifest:
    """Return the pod template of a revision."""
    template: Manifest = cluster.objects["Deployment", f"digits-{revision}"]["spec"]["template"]
    return copy.deepcopy(template)


def test_of_old_revisions_only_the_record_is_kept(served: FakeCluster) -> None:
    """Given old revisions that are not warm, only their ConfigMaps are kept."""
    history = [one.revision for one in served.parsed.history]
    assert (len(history), kept(served, "Deployment")) == (2, {served.stable})
    assert kept(served, "ConfigMap") == {served.stable, *history}
    served.edit(lambda spec: spec["rollout"].update(revisionHistoryLimit=1)).run(10)
    assert kept(served, "ConfigMap") == {served.stable, history[0]}


def test_rollback_renders_what_served(cluster: FakeCluster) -> None:
    """Given `rollback`, the old pod template returns at full scale and takes all requests."""
    old = cluster.stable
    was = pods(cluster, old)
    cluster.model(2).run(10).until(cluster.ready).run(360)
    cluster.lost = 0.0
    cluster.command("rollback@1").until(lambda: cluster.stable == old)
    cluster.until(lambda: cluster.rollout is None)
    assert (pods(cluster, old), cluster.weights[-1], cluster.lost) == (was, {old: 100}, 0.0)


def test_pin_is_explained(served: FakeCluster) -> None:
    """Given `rollback`, the conditions name the pinned and the spec's revision and a remedy."""
    expected = served.stable
    served.command("rollback@1").run(300)
    assert served.condition("Ready") == ("False", "Pinned")
    assert served.condition("Stalled") == ("True", "Pinned")
    assert served.condition("Available") == ("True", "Serving")
    message = served.message("Ready")
    assert (str(served.stable) in message, str(expected) in message, "`resume`" in message) == (
        True,
    ) * 3
    assert served.reconcile().status is None
    served.model(4).run(10).until(served.ready)
    assert (served.parsed.pinned, served.lost) == (None, 0.0)


def test_resume_follows_the_spec_by_steps(served: FakeCluster) -> None:
    """Given `resume` after `rollback`, the spec's revision is rolled out from the first step."""
    expected = served.stable
    served.command("rollback@1").run(300)
    seen = len(served.weights)
    served.command("resume@2").run(10).until(served.ready)
    shares = [one.get(expected) for one in served.weights[seen:]]
    assert (served.stable, shares) == (expected, [0, 20, 50, 90, 100, 100])


def test_record_that_was_deleted_is_no_way_back(served: FakeCluster) -> None:
    """Given a deleted record, its revision is no longer in the history."""
    gone, left = (one.revision for one in served.parsed.history)
    del served.objects["ConfigMap", f"digits-{gone}"]
    served.command(f"rollback:{gone}@1").run(10)
    assert f"choose one of {left}" in served.events[-1].message
    assert [one.revision for one in served.parsed.history] == [left]


def test_a_failed_revision_leaves_its_record_until_the_spec_changes(served: FakeCluster) -> None:
    """Given a revision that was aborted, its record stays while the spec asks for it."""
    before = kept(served, "ConfigMap")
    served.model(4, Behaviour(error_rate=0.5)).run(10).until(lambda: served.rollout is None)
    served.run(10)
    assert served.parsed.target is not None
    assert kept(served, "ConfigMap") == before | {served.parsed.target.revision}
    served.model(3).run(10)
    assert kept(served, "ConfigMap") == before


def test_broken_revision_that_serves_is_left_by_rollback(served: FakeCluster) -> None:
    """Given a stable revision that fails late, one `rollback` restores the one before it."""
    served.behaviours["https://models.example/digits/3"] = Behaviour(error_rate=0.5)
    earlier = served.parsed.history[0].revision
    served.command("rollback@1").until(lambda: served.rollout is None and served.stable == earlier)
    assert State.ANALYSING not in served.states[-6:]


def test_killed_at_every_second_status(served: FakeCluster) -> None:
    """Given an operator that is killed at every other status, the rollback is the same."""
    earlier = served.parsed.history[0].revision
    served.command("rollback@1")
    for number in range(80):
        served.alive = number % 2 == 1
        served.reconcile()
        served.alive = True
        served.tick(5.0)
    assert (served.stable, served.rollout, served.lost) == (earlier, None, 0.0)
    assert served.reasons.count("Pinned") <= 1
