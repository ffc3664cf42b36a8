"""What was judged is what runs: nothing is rendered from a record that others have changed."""

import copy

import pytest

from halimede.api.base import Manifest
from halimede.api.status import Outcome, State
from harness.fake_cluster import FakeCluster
from tests.support.records import (
    Change,
    change_pod,
    children,
    is_planted,
    plant,
    replace_record,
    restore_record,
)

WARM = {"strategy": "BlueGreen", "blueGreen": {"autoPromote": True, "bakeSeconds": 0}}
"""Settings with which old revisions stay at full scale."""


def drop_label(config_map: Manifest) -> None:
    """Remove the revision's label."""
    del config_map["metadata"]["labels"]["halimede.dev/revision"]


def drop_label_and_plant(config_map: Manifest) -> None:
    """Change the pod as well."""
    drop_label(config_map)
    change_pod(plant)(config_map)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change_pod(plant), id="another pod"),
        pytest.param(change_pod(lambda pod: pod.update(hostNetwork=True)), id="a field"),
        pytest.param(
            change_pod(lambda pod: pod["initContainers"][0].update(image="fetch:1")),
            id="the fetcher",
        ),
        pytest.param(lambda live: live["data"].update({"config.pbtxt": "x"}), id="the model"),
        pytest.param(lambda live: live["data"].update({"source.model.py": "x"}), id="a file"),
        pytest.param(lambda live: live.update(binaryData={"source.a": "eA=="}), id="binary"),
        pytest.param(lambda live: live.update(data={}), id="empty"),
        pytest.param(lambda live: live["data"].update({"revision.json": "{"}), id="unreadable"),
        pytest.param(drop_label_and_plant, id="no label"),
    ],
)
def test_a_changed_record_of_the_stable_revision(cluster: FakeCluster, change: Change) -> None:
    """Given another content under the same name, nothing of it is applied until it is restored."""
    record = replace_record(cluster, cluster.stable, change)
    before, writes, stable = children(cluster, cluster.stable), len(cluster.writes), cluster.stable
    cluster.edit(lambda spec: spec.update(replicas=5)).run(900)
    assert (children(cluster, stable), cluster.writes[writes:]) == (before, [])
    assert cluster.condition("Ready") == ("False", "InvalidRecord")
    assert cluster.condition("Stalled") == ("True", "InvalidRecord")
    assert cluster.condition("Available") == ("True", "Serving")
    assert cluster.message("Ready").startswith(f"ConfigMap/digits-{stable}: its content does not")
    assert "; restore the ConfigMap, or delete it" in cluster.message("Ready")
    assert cluster.reasons.count("InvalidRecord") == 1
    restore_record(cluster, record)
    cluster.until(cluster.ready).run(60)
    assert (cluster.stable, cluster.replicas(stable or ""), cluster.lost) == (stable, 5, 0.0)
    assert "RolloutStarted" not in cluster.reasons


def test_a_changed_record_beside_an_invalid_spec(cluster: FakeCluster) -> None:
    """Given both, Ready has the record, and Stalled has the spec."""
    replace_record(cluster, cluster.stable)
    cluster.edit(lambda spec: spec.update(podTemplate={"unknown": {}})).run(60)
    assert cluster.condition("Ready") == ("False", "InvalidRecord")
    assert cluster.condition("Stalled") == ("True", "InvalidSpec")
    assert "spec.podTemplate.unknown" in cluster.message("Stalled")
    assert not is_planted(cluster)


def test_a_record_without_its_label_is_the_same(cluster: FakeCluster) -> None:
    """Given the right content without a label, only the label is restored."""
    replace_record(cluster, cluster.stable, drop_label)
    cluster.settle()
    record = cluster.objects["ConfigMap", f"digits-{cluster.stable}"]
    assert record["metadata"]["labels"]["halimede.dev/revision"] == cluster.stable
    assert cluster.ready()


def test_a_record_that_is_deleted_is_written_again(cluster: FakeCluster) -> None:
    """Given an invalid record that is deleted, the spec's revision has the same one again."""
    record = replace_record(cluster, cluster.stable)
    cluster.run(10)
    cluster.objects.pop(("ConfigMap", record["metadata"]["name"]))
    cluster.until(cluster.ready)
    assert cluster.objects["ConfigMap", record["metadata"]["name"]]["data"] == record["data"]
    assert (cluster.rollout, is_planted(cluster)) == (None, False)


@pytest.mark.transition("record-invalid")
@pytest.mark.parametrize("state", [State.STARTING, State.ANALYSING, State.BAKING])
def test_a_changed_record_of_the_canary(cluster: FakeCluster, state: State) -> None:
    """Given a canary whose record is replaced, it is aborted, and rolled out once it is back."""
    stable = cluster.stable
    cluster.model(2).until(lambda: cluster.state is state)
    assert cluster.rollout is not None
    canary = cluster.rollout.revision
    record = replace_record(cluster, canary)
    before = children(cluster, canary)
    cluster.until(lambda: cluster.state in (None, State.ABORT_DRAINING))
    assert cluster.weights[-1].get(stable) == 100
    assert children(cluster, canary) == (before if cluster.rollout else record_only(before))
    cluster.run(900)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert (last.outcome, last.reason) == (Outcome.ABORTED, "InvalidRecord")
    assert (cluster.rollout, cluster.stable, cluster.parsed.failed_revisions) == (None, stable, ())
    assert cluster.condition("Ready") == ("False", "InvalidRecord")
    assert f"ConfigMap/digits-{canary}" in cluster.message("Ready")
    assert cluster.reasons.count("InvalidRecord") == cluster.reasons.count("RolloutAborted") == 1
    assert not is_planted(cluster)
    restore_record(cluster, record)
    cluster.until(cluster.ready)
    assert (cluster.stable, cluster.lost) == (canary, 0.0)


def record_only(objects: dict[tuple[str, str], Manifest]) -> dict[tuple[str, str], Manifest]:
    """Return what is left of an aborted revision."""
    return {key: one for key, one in objects.items() if key[0] == "ConfigMap"}


@pytest.mark.transition("record-invalid")
@pytest.mark.parametrize("state", [State.STARTING, State.BAKING])
def test_a_changed_record_of_a_recreated_revision(state: State) -> None:
    """Given Recreate, the old revision gets its place back."""
    cluster = FakeCluster()
    cluster.spec["rollout"]["strategy"] = "Recreate"
    cluster.until(cluster.ready)
    stable = cluster.stable
    cluster.model(2).until(lambda: cluster.state is state)
    assert cluster.rollout is not None
    canary = cluster.rollout.revision
    record = replace_record(cluster, canary)
    cluster.run(900)
    assert (cluster.rollout, cluster.stable, cluster.replicas(stable or "")) == (None, stable, 2)
    assert cluster.condition("Ready") == ("False", "InvalidRecord")
    assert not is_planted(cluster)
    restore_record(cluster, record)
    cluster.until(cluster.ready)
    assert cluster.stable == canary


def test_a_changed_record_of_the_stable_revision_in_a_rollout(cluster: FakeCluster) -> None:
    """Given a rollout, it ends without a change of the old revision's pods."""
    stable = cluster.stable
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    replace_record(cluster, stable)
    before = children(cluster, stable)
    cluster.settle()
    assert cluster.condition("Ready") == ("False", "InvalidRecord")
    assert cluster.condition("Reconciling") == ("True", "RollingOut")
    assert children(cluster, stable) == before
    cluster.until(lambda: cluster.rollout is None)
    assert (cluster.stable != stable, cluster.lost, is_planted(cluster)) == (True, 0.0, False)


def test_a_changed_record_of_a_warm_revision(cluster: FakeCluster) -> None:
    """Given a warm revision whose record is replaced, its pods stay, and the spec waits for it."""
    cluster.edit(lambda spec: spec["rollout"].update(WARM, scaleDownDelaySeconds=36000))
    warm = cluster.stable
    cluster.model(2).run(10).until(cluster.ready)
    newer = cluster.stable
    record = replace_record(cluster, warm)
    before = children(cluster, warm)
    cluster.edit(lambda spec: spec.update(replicas=3)).run(60)
    cluster.model(1).run(600)
    assert children(cluster, warm) == before
    assert cluster.condition("Ready") == ("False", "InvalidRecord")
    assert (cluster.stable, cluster.rollout, cluster.weights[-1]) == (newer, None, {newer: 100})
    restore_record(cluster, record)
    cluster.until(cluster.ready)
    assert (cluster.stable, cluster.replicas(warm or ""), cluster.lost) == (warm, 3, 0.0)


@pytest.mark.parametrize("command", ["rollback", "rollback:{}"])
def test_a_changed_record_of_a_former_revision(cluster: FakeCluster, command: str) -> None:
    """Given a rollback to it, it is rejected with the reason until the record is restored."""
    cluster.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=0))
    former = cluster.stable
    cluster.model(2).run(10).until(cluster.ready).run(60)
    newer = cluster.stable
    record = replace_record(cluster, former)
    cluster.command(f"{command.format(former)}@1").run(60)
    assert cluster.condition("Ready") == ("False", "InvalidRecord")
    rejected = [one.message for one in cluster.events if one.reason == "CommandRejected"]
    assert [f"ConfigMap/digits-{former}: its content" in one for one in rejected] == [True]
    assert (cluster.stable, cluster.rollout, cluster.parsed.pinned) == (newer, None, None)
    assert record_only(children(cluster, former))
    restore_record(cluster, record)
    cluster.until(cluster.ready)
    cluster.command(f"{command.format(former)}@2").until(lambda: cluster.stable == former)
    assert not is_planted(cluster)


def test_a_changed_record_of_a_pinned_revision(cluster: FakeCluster) -> None:
    """Given a rollback under way, it is aborted, and goes on once the record is restored."""
    cluster.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=0))
    former = cluster.stable
    cluster.model(2).run(10).until(cluster.ready).run(60)
    newer = cluster.stable
    cluster.command(f"rollback:{former}@1").until(lambda: cluster.state is State.STARTING)
    record = replace_record(cluster, former)
    cluster.run(600)
    assert (cluster.stable, cluster.rollout, is_planted(cluster)) == (newer, None, False)
    restore_record(cluster, record)
    cluster.until(lambda: cluster.stable == former)
    assert cluster.lost == 0.0


def test_a_former_revision_whose_invalid_record_is_deleted_is_given_up(
    cluster: FakeCluster,
) -> None:
    """Given that its record is deleted, the revision leaves the history, and all is well."""
    cluster.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=0))
    former = cluster.stable
    cluster.model(2).run(10).until(cluster.ready).run(60)
    replace_record(cluster, former)
    cluster.run(10)
    cluster.objects.pop(("ConfigMap", f"digits-{former}"))
    cluster.until(cluster.ready)
    assert (cluster.parsed.history, list(cluster.parsed.records)) == ((), [cluster.stable])


def test_a_record_that_is_planted_before_its_revision(cluster: FakeCluster) -> None:
    """Given a ConfigMap under the name of the next revision, the revision gets another name."""
    stable, future = cluster.stable, copy.deepcopy(cluster)
    future.model(2).settle()
    assert future.rollout is not None
    name = f"digits-{future.rollout.revision}"
    change_pod(plant)(future.objects["ConfigMap", name])
    cluster.objects["ConfigMap", name] = future.objects["ConfigMap", name]
    cluster.model(2).until(cluster.ready)
    assert cluster.stable not in (stable, future.rollout.revision)
    assert ("ConfigMap", name) not in cluster.objects
    assert not is_planted(cluster)
