"""Complete bakes: who gets the requests, and which faults are detected in time."""

import pytest

from halimede.api.status import Outcome, State
from halimede.rollout.analysis_schedule import is_doubtful
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster
from harness.fake_spec import SPEC

OLD, NEW = SPEC["model"]["storageUri"], "https://models.example/digits/2"
FAILING = Behaviour(error_rate=1.0)
BAKE = 300.0
"""Seconds."""


def baking(cluster: FakeCluster) -> FakeCluster:
    """Run a second model to its bake, which takes five minutes."""
    cluster.edit(lambda spec: spec["rollout"]["canary"].update(bakeSeconds=int(BAKE)))
    return cluster.model(2, Behaviour()).until(lambda: cluster.state is State.BAKING)


def revisions(cluster: FakeCluster) -> tuple[str, str]:
    """Return the stable revision and the one that is rolled out."""
    assert cluster.rollout is not None
    return cluster.rollout.base, cluster.rollout.revision


def outcome(cluster: FakeCluster) -> Outcome | None:
    """Return the outcome of the last rollout."""
    last = cluster.parsed.last_rollout
    return last.outcome if last else None


@pytest.mark.transition("full-scale-ready", "bake-started", "bake-passed")
def test_a_tenth_of_the_requests_stays_until_the_bake_ends(cluster: FakeCluster) -> None:
    """Given a good canary, it bakes beside the stable revision, and no request is lost."""
    baking(cluster)
    old, new = revisions(cluster)
    assert cluster.weights[-1] == {old: 10, new: 90}
    assert (cluster.replicas(old), cluster.replicas(new)) == (2, 2)
    begun = cluster.now
    cluster.until(cluster.ready)
    assert begun + BAKE <= cluster.now <= begun + BAKE + 60
    assert cluster.weights[-3:] == [{old: 10, new: 90}, {old: 0, new: 100}, {new: 100}]
    cluster.run(900)
    assert (cluster.stable, cluster.lost, cluster.failed) == (new, 0.0, 0.0)


def test_both_revisions_are_compared_in_the_bake(cluster: FakeCluster) -> None:
    """Given a control share, the stable revision's requests are counted in the bake."""
    baking(cluster).run(60)
    assert cluster.rollout is not None
    assert cluster.rollout.evidence is not None
    before = {one.source: one for one in cluster.rollout.evidence.sources}
    cluster.run(120)
    assert cluster.rollout.evidence is not None
    for one in cluster.rollout.evidence.sources:
        new = one.canary_requests - before[one.source].canary_requests
        old = one.stable_requests - before[one.source].stable_requests
        assert old / (old + new) == pytest.approx(0.1, abs=0.02)


@pytest.mark.transition("control-dropped")
def test_a_stable_revision_that_loses_its_pods_gives_its_share_up(cluster: FakeCluster) -> None:
    """Given stable pods that are lost in the bake, the next pass gives the new revision all."""
    baking(cluster).run(60)
    old, new = revisions(cluster)
    cluster.behaviours[OLD] = Behaviour(load_seconds=1e9)
    cluster.settle()
    assert cluster.weights[-1] == {old: 0, new: 100}
    assert "ControlDropped" in cluster.reasons
    cluster.behaviours[OLD] = Behaviour()
    cluster.until(cluster.ready)
    assert {old: 10, new: 90} not in cluster.weights[-2:]
    assert (cluster.stable, cluster.lost) == (new, 0.0)


@pytest.mark.transition("verdict-abort-in-bake", "bake-doubtful")
@pytest.mark.parametrize("after", [15, 60, 120, 150, 180, 210, 240])
def test_a_revision_that_breaks_in_the_bake_is_never_promoted(
    cluster: FakeCluster, after: int
) -> None:
    """Given only errors from any moment of the bake, the stable revision gets all traffic back."""
    old = cluster.stable
    baking(cluster).run(after)
    cluster.behaviours[NEW] = FAILING
    cluster.until(lambda: cluster.rollout is None)
    assert (outcome(cluster), cluster.stable, cluster.lost) == (Outcome.ABORTED, old, 0.0)


@pytest.mark.transition("bake-doubtful")
def test_a_prometheus_that_goes_away_hides_no_trouble(cluster: FakeCluster) -> None:
    """Given odds against it and then no metrics, the bake is held until metrics return."""
    old = cluster.stable
    baking(cluster).run(120)
    cluster.behaviours[NEW] = FAILING
    cluster.until(lambda: cluster.rollout and is_doubtful(cluster.rollout))
    cluster.prometheus.up = False
    cluster.run(1800)
    assert cluster.state is State.BAKING
    assert cluster.condition("Ready") == ("Unknown", "MetricsHold")
    assert "the bake does not end while the odds against it are" in cluster.message("Ready")
    cluster.prometheus.up = True
    cluster.until(lambda: cluster.rollout is None)
    assert (outcome(cluster), cluster.stable) == (Outcome.ABORTED, old)


@pytest.mark.transition("verdict-abort-in-bake")
@pytest.mark.parametrize("after", [150, 180, 210, 240])
def test_abort_needs_no_control_share(cluster: FakeCluster, after: int) -> None:
    """Given a bake with all traffic, a revision with only errors is aborted without comparison."""
    old = cluster.stable
    cluster.edit(lambda spec: spec["rollout"]["canary"].update(controlPercent=0))
    baking(cluster).run(after)
    cluster.behaviours[NEW] = FAILING
    cluster.until(lambda: cluster.rollout is None)
    assert (outcome(cluster), cluster.stable, cluster.lost) == (Outcome.ABORTED, old, 0.0)


def test_trouble_of_both_revisions_does_not_stop_a_good_one(cluster: FakeCluster) -> None:
    """Given a dependency that fails for five minutes of the bake, the revision is promoted."""
    baking(cluster).run(BAKE / 2)
    new = revisions(cluster)[1]
    cluster.behaviours |= {OLD: Behaviour(error_rate=0.3), NEW: Behaviour(error_rate=0.3)}
    cluster.run(300)
    cluster.behaviours |= {OLD: Behaviour(), NEW: Behaviour()}
    cluster.until(lambda: cluster.rollout is None)
    assert (outcome(cluster), cluster.stable) == (Outcome.PROMOTED, new)
    assert cluster.lost == 0.0
