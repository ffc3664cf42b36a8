"""Whole canaries whose steps do more than carry a weight."""

from typing import Any

from halimede.api.status import State
from tests.support.behaviour import Behaviour
from tests.support.cluster import PretendCluster


def canary(cluster: PretendCluster, **fields: Any) -> PretendCluster:
    """Edit the settings of the canary."""
    return cluster.edit(lambda spec: spec["rollout"]["canary"].update(fields))


def shares(cluster: PretendCluster) -> list[int]:
    """List the weights that the revision of the spec was given, one after the other."""
    assert cluster.parsed.target is not None
    revision = cluster.parsed.target.revision
    return [weights[revision] for weights in cluster.weights if revision in weights]


def test_pauses_of_steps(cluster: PretendCluster) -> None:
    """Given a timed and a manual pause, the canary waits out the one and for `promote` in both."""
    steps = [{"weight": 20, "pause": {"seconds": 900}}, {"weight": 50, "pause": {}}]
    canary(cluster, steps=steps).model(2)
    cluster.until(lambda: cluster.state is State.STEP_PAUSED)
    begun = cluster.now
    assert cluster.condition("Ready") == ("Unknown", "RollingOut")
    assert "for 900 s" in cluster.message("Ready")
    cluster.until(lambda: cluster.state is not State.STEP_PAUSED)
    assert cluster.now - begun >= 900
    cluster.until(lambda: cluster.state is State.STEP_PAUSED)
    cluster.run(7200)
    assert shares(cluster) == [0, 20, 50]
    assert cluster.condition("Ready") == ("Unknown", "Paused")
    assert "until the command `promote`" in cluster.message("Ready")
    cluster.command("promote@1").until(cluster.ready)
    assert (shares(cluster), cluster.lost) == ([0, 20, 50, 100, 100], 0.0)


def test_canary_that_turns_bad_in_a_pause_is_stopped(cluster: PretendCluster) -> None:
    """Given a pause, a canary whose errors begin in it is stopped as in any other state."""
    behaviour = Behaviour()
    canary(cluster, steps=[{"weight": 20, "pause": {}}]).model(2, behaviour)
    cluster.until(lambda: cluster.state is State.STEP_PAUSED)
    behaviour.error_rate = 0.5
    cluster.until(lambda: cluster.rollout is None, 600)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert last.reason == "AnalysisFailed"


def test_smoke_test_before_the_first_user(cluster: PretendCluster) -> None:
    """Given a first step of weight 0, its pods stand ready for it and no user meets them."""
    smoke = {"weight": 0, "scale": {"replicas": 3}, "pause": {}}
    canary(cluster, steps=[smoke, {"weight": 50}]).model(2)
    cluster.until(lambda: cluster.state is State.STEP_PAUSED)
    cluster.run(7200)
    assert cluster.rollout is not None
    assert (cluster.replicas(cluster.rollout.revision), shares(cluster)) == (3, [0])
    assert cluster.condition("Ready") == ("Unknown", "Paused")
    assert cluster.rollout.evidence is None
    cluster.command("promote@1").until(cluster.ready)
    assert (shares(cluster), cluster.lost) == ([0, 50, 100, 100], 0.0)
