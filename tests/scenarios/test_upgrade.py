"""An upgrade of the operator that renders other pods from the same spec."""

from dataclasses import replace

from halimede.api.base import Manifest
from halimede.api.status import Outcome
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster


def upgrade(cluster: FakeCluster) -> FakeCluster:
    """Start an operator that renders another image of Triton into every pod."""
    repository = f"{cluster.platform.triton_repository}-next"
    cluster.platform = replace(cluster.platform, triton_repository=repository)
    return cluster


def image(cluster: FakeCluster, revision: str) -> str:
    """Read the image of Triton in a revision's Deployment."""
    template: Manifest = cluster.objects["Deployment", f"digits-{revision}"]["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def test_an_upgrade_rolls_nothing_out(cluster: FakeCluster) -> None:
    """Given other pods for the same spec, the revision stays, and the status names the newer."""
    before, was = cluster.stable, dict(cluster.objects)
    upgrade(cluster).run(600)
    assert (cluster.rollout, cluster.stable, cluster.lost) == (None, before, 0.0)
    assert cluster.objects.keys() == was.keys()
    newer = cluster.parsed.newer_revision
    assert newer not in (None, before)


def test_the_next_change_takes_the_newer_pods(cluster: FakeCluster) -> None:
    """Given a new model after the upgrade, its pods are rendered as the new version does."""
    upgrade(cluster).run(60)
    cluster.model(2).until(lambda: cluster.rollout is not None).until(cluster.ready)
    assert image(cluster, cluster.stable).startswith(cluster.platform.triton_repository)
    assert cluster.parsed.newer_revision is None


def test_the_earlier_spec_is_the_way_back(cluster: FakeCluster) -> None:
    """Given the old spec again after the upgrade, the old revision comes back as it was."""
    before = cluster.stable
    upgrade(cluster).model(2).run(10).until(cluster.ready)
    cluster.model(1).run(10).until(cluster.ready)
    assert (cluster.stable, cluster.lost) == (before, 0.0)
    assert cluster.parsed.newer_revision not in (None, before)


def test_a_rollout_goes_on_through_an_upgrade(cluster: FakeCluster) -> None:
    """Given an upgrade in the middle of a rollout, it is not superseded."""
    cluster.model(2).until(lambda: cluster.rollout is not None and cluster.rollout.weight > 0)
    assert cluster.rollout is not None
    revision = cluster.rollout.revision
    upgrade(cluster).until(lambda: cluster.rollout is None)
    assert (cluster.stable, cluster.lost) == (revision, 0.0)


def test_an_aborted_revision_is_not_tried_again(cluster: FakeCluster) -> None:
    """Given a revision that was aborted, the upgrade does not make another one of its spec."""
    before = cluster.stable
    cluster.model(2, Behaviour(error_rate=0.5)).run(10)
    cluster.until(lambda: cluster.rollout is None).run(300)
    upgrade(cluster).run(600)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert (last.outcome, cluster.rollout, cluster.stable) == (Outcome.ABORTED, None, before)
