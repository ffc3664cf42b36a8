"""Records across upgrades of the operator, kills, and versions that stored no digests."""

import copy
from dataclasses import replace

import pytest

from halimede.api.status import State
from halimede.render.revision import digest_record
from harness.fake_cluster import FakeCluster
from tests.support.records import children, is_planted, make_old, replace_record, restore_record


def upgrade(cluster: FakeCluster, version: str = "0.2.0") -> None:
    """Start an operator of another version, whose image fetches models."""
    image = f"registry.example/halimede-fetch:{version}"
    cluster.platform = replace(cluster.platform, fetch_image=image)


def test_an_operator_that_is_upgraded_applies_records_as_they_are(cluster: FakeCluster) -> None:
    """Given another image of the fetcher, the pods of every revision stay as they are."""
    cluster.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=0))
    former = cluster.stable
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    upgrade(cluster)
    writes = len(cluster.writes)
    cluster.settle()
    assert not [one for one, _ in cluster.writes[writes:] if "digits-" in one]
    cluster.until(cluster.ready).run(60)
    cluster.command("rollback@1").until(lambda: cluster.stable == former)
    assert "halimede-fetch:0.2.0" not in str(cluster.objects)


def test_a_record_that_is_lost_after_an_upgrade(cluster: FakeCluster) -> None:
    """Given another image of the fetcher, the record is written again exactly as it was."""
    record = cluster.objects["ConfigMap", f"digits-{cluster.stable}"]
    before = children(cluster, cluster.stable)["Deployment", f"digits-{cluster.stable}"]
    upgrade(cluster)
    cluster.objects.pop(("ConfigMap", f"digits-{cluster.stable}"))
    cluster.edit(lambda spec: spec.update(replicas=3)).run(60)
    assert cluster.objects["ConfigMap", f"digits-{cluster.stable}"]["data"] == record["data"]
    live = cluster.objects["Deployment", f"digits-{cluster.stable}"]["spec"]
    assert (live["template"], live["replicas"]) == (before["spec"]["template"], 3)
    assert (cluster.ready(), cluster.parsed.collision_count) == (True, None)


def test_a_record_that_cannot_be_written_again(cluster: FakeCluster) -> None:
    """Given another fetcher in the Deployment too, the name is not used for other pods."""
    stable = cluster.stable
    upgrade(cluster)
    cluster.objects.pop(("ConfigMap", f"digits-{stable}"))
    live = cluster.tamper("Deployment", f"digits-{stable}")
    live["spec"]["template"]["spec"]["initContainers"][0]["image"] = "fetch:1"
    before = children(cluster, stable)["Deployment", f"digits-{stable}"]
    cluster.until(lambda: cluster.rollout is not None)
    assert cluster.objects["Deployment", f"digits-{stable}"] == before
    cluster.until(cluster.ready)
    assert (cluster.stable != stable, cluster.lost) == (True, 0.0)


def test_an_older_backup_of_a_record(cluster: FakeCluster) -> None:
    """Given a revision that was forgotten and came back, its old record is not accepted."""
    old = cluster.stable
    backup = copy.deepcopy(cluster.objects["ConfigMap", f"digits-{old}"])
    cluster.edit(
        lambda spec: spec["rollout"].update(scaleDownDelaySeconds=0, revisionHistoryLimit=0)
    )
    cluster.model(2).run(10).until(cluster.ready).run(60)
    assert ("ConfigMap", f"digits-{old}") not in cluster.objects
    upgrade(cluster)
    cluster.model(1).run(10).until(cluster.ready).run(60)
    assert cluster.stable == old
    before = children(cluster, old)["Deployment", f"digits-{old}"]
    restore_record(cluster, backup)
    cluster.run(60)
    assert cluster.condition("Ready") == ("False", "InvalidRecord")
    assert cluster.objects["Deployment", f"digits-{old}"] == before


def test_the_digest_is_stored_before_the_record(cluster: FakeCluster) -> None:
    """Given a kill after the status was written, the next operator writes that very record."""
    cluster.alive = False
    cluster.model(2).reconcile()
    assert cluster.rollout is not None
    canary = cluster.rollout.revision
    digest = cluster.parsed.records[canary]
    assert ("ConfigMap", f"digits-{canary}") not in cluster.objects
    cluster.alive = True
    cluster.until(cluster.ready)
    assert cluster.stable == canary
    assert digest_record(cluster.objects["ConfigMap", f"digits-{canary}"]) == digest


def test_a_kill_and_an_upgrade_before_the_record_is_written(cluster: FakeCluster) -> None:
    """Given a newer operator after the kill, the revision is rolled out all the same."""
    cluster.alive = False
    cluster.model(2).reconcile()
    cluster.alive = True
    upgrade(cluster)
    cluster.until(cluster.ready)
    assert cluster.lost == 0.0
    assert "models.example/digits/2" in str(children(cluster, cluster.stable))


@pytest.fixture
def old(cluster: FakeCluster) -> FakeCluster:
    """Make a cluster with a former revision whose operator stored no digests."""
    cluster.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=0))
    cluster.model(2).run(10).until(cluster.ready).run(60)
    make_old(cluster)
    return cluster


def test_records_without_digests_are_accepted_once(old: FakeCluster) -> None:
    """Given an upgrade, nothing is applied but the status, and later changes are detected."""
    stable, former = old.stable, old.parsed.history[0].revision
    before = {key: one for key, one in copy.deepcopy(old.objects).items() if "digits-" in key[1]}
    upgrade(old)
    old.run(60)
    assert {key: one["spec"] for key, one in old.objects.items() if key[0] == "Deployment"} == {
        key: one["spec"] for key, one in before.items() if key[0] == "Deployment"
    }
    assert (old.ready(), old.rollout, old.parsed.records.keys()) == (True, None, {stable, former})
    record = replace_record(old, former)
    old.command("rollback@1").run(60)
    assert old.condition("Ready") == ("False", "InvalidRecord")
    restore_record(old, record)
    old.until(old.ready)
    old.command("rollback@2").until(lambda: old.stable == former)
    assert not is_planted(old)


def test_a_record_of_another_content_than_its_name_is_never_accepted(old: FakeCluster) -> None:
    """Given a record that was changed before the upgrade, the hash in its name shows it."""
    record = replace_record(old, old.stable)
    before = children(old, old.stable)
    old.run(60)
    assert old.condition("Ready") == ("False", "InvalidRecord")
    assert "does not have the hash in its name" in old.message("Ready")
    assert (children(old, old.stable), old.parsed.records.keys()) == (
        before,
        {old.parsed.history[0].revision},
    )
    restore_record(old, record)
    old.until(old.ready)
    assert old.stable in old.parsed.records


def test_an_upgrade_without_digests_in_a_rollout(cluster: FakeCluster) -> None:
    """Given a rollout under way, it goes on."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    assert cluster.rollout is not None
    canary = cluster.rollout.revision
    make_old(cluster)
    upgrade(cluster)
    cluster.until(lambda: cluster.rollout is None)
    assert (cluster.stable, cluster.lost) == (canary, 0.0)
    assert "halimede-fetch:0.2.0" not in str(cluster.objects)
