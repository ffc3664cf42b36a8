"""Complete canaries whose steps have more than a weight."""

from typing import Any

from halimede.api.status import State
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster


def canary(cluster: FakeCluster, **fields: Any) -> FakeCluster:
    """Edit the settings of the canary."""
    return cluster.edit(lambda spec: spec["rollout"]["canary"].update(fields))


def shares(cluster: FakeCluster) -> list[int]:
    """Return the weights that the spec's revision was given, in order."""
    assert cluster.parsed.target is not None
    revision = cluster.parsed.target.revision
    return [weights[revision] for weights in cluster.weights if revision in weights]


def test_pauses_of_steps(cluster: FakeCluster) -> None:
    """Given a timed and a manual pause, the canary waits for the time and for `promote`."""
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
    assert (shares(cluster), cluster.lost) == ([0, 20, 50, 90, 100, 100], 0.0)


def test_canary_that_turns_bad_in_a_pause_is_aborted(cluster: FakeCluster) -> None:
    """Given a pause, a canary whose errors begin in it is aborted as in any other state."""
    behaviour = Behaviour()
    canary(cluster, steps=[{"weight": 20, "pause": {}}]).model(2, behaviour)
    cluster.until(lambda: cluster.state is State.STEP_PAUSED)
    behaviour.error_rate = 0.5
    cluster.until(lambda: cluster.rollout is None, 600)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert last.reason == "AnalysisFailed"


def test_smoke_test_before_the_first_user(cluster: FakeCluster) -> None:
    """Given a first step of weight 0, its pods are ready and get no user's request."""
    smoke = {"weight": 0, "scale": {"replicas": 3}, "pause": {}}
    canary(cluster, steps=[smoke, {"weight": 50}]).model(2)
    cluster.until(lambda: cluster.state is State.STEP_PAUSED)
    cluster.run(7200)
    assert cluster.rollout is not None
    assert (cluster.replicas(cluster.rollout.revision), shares(cluster)) == (3, [0])
    assert cluster.condition("Ready") == ("Unknown", "Paused")
    assert cluster.rollout.evidence is None
    cluster.command("promote@1").until(cluster.ready)
    assert (shares(cluster), cluster.lost) == ([0, 50, 90, 100, 100], 0.0)


TESTER = {"headers": [{"name": "x-tester", "value": "yes"}]}


def headed(cluster: FakeCluster) -> list[str]:
    """Return the revision that testers reach by each of the rules for gRPC and HTTP."""
    rules = cluster.objects["HTTPRoute", "digits"]["spec"]["rules"]
    matching = [rule for rule in rules if "headers" in rule["matches"][0]]
    return [
        one["name"].removeprefix("digits-") for rule in matching for one in rule["backendRefs"]
    ]


def test_testers_meet_the_canary_before_anybody_else(cluster: FakeCluster) -> None:
    """Given a match, its requests go to the canary from weight 0 to the end of the rollout."""
    canary(cluster, match=TESTER, steps=[{"weight": 0, "minSeconds": 300}, {"weight": 50}])
    assert headed(cluster) == []
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    assert cluster.rollout is not None
    new = cluster.rollout.revision
    assert (headed(cluster), shares(cluster)) == ([new] * 3, [0])
    cluster.until(lambda: cluster.state is State.BAKING)
    assert headed(cluster) == [new] * 3
    cluster.until(cluster.ready)
    assert (headed(cluster), cluster.lost) == ([], 0.0)


def test_testers_never_meet_a_canary_without_pods(cluster: FakeCluster) -> None:
    """Given a canary that loses its pods, testers are sent to the stable revision as well."""
    canary(cluster, match=TESTER, steps=[{"weight": 0, "minSeconds": 3600}, {"weight": 50}])
    behaviour = Behaviour()
    cluster.model(2, behaviour).until(lambda: cluster.state is State.ANALYSING)
    behaviour.load_seconds = 1e9
    cluster.settle()
    assert (headed(cluster), "TrafficShed" in cluster.reasons) == ([], True)
    assert "its requests go to" in cluster.events[-1].message


def test_mirror_stops_a_bad_canary_before_any_user_meets_it(cluster: FakeCluster) -> None:
    """Given copies of requests, no user sees the errors of a bad canary."""
    canary(cluster, mirror={"minSeconds": 120}).model(2, Behaviour(error_rate=0.3))
    cluster.until(lambda: cluster.state is State.MIRRORING)
    cluster.until(lambda: cluster.rollout is None)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert (last.reason, cluster.failed, cluster.lost) == ("AnalysisFailed", 0.0, 0.0)
    assert {weight for weights in cluster.weights for weight in weights.values()} == {0, 100}


def test_mirror_lets_a_good_canary_go_on(cluster: FakeCluster) -> None:
    """Given copies without errors, the steps follow and are judged by users' requests."""
    canary(cluster, mirror={"minSeconds": 120}).model(2)
    cluster.until(lambda: cluster.state is State.MIRRORING)
    assert cluster.rollout is not None
    assert cluster.replicas(cluster.rollout.revision) == 2
    begun = cluster.now
    cluster.until(lambda: cluster.state is State.ANALYSING)
    assert cluster.now - begun >= 120
    assert cluster.rollout.evidence is None
    cluster.until(cluster.ready)
    assert (shares(cluster), cluster.lost) == ([0, 20, 50, 90, 100, 100], 0.0)
    assert "MirrorEnded" in cluster.reasons
