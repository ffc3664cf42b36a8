"""Complete rollouts that are paused, resumed and promoted by command."""

from halimede.api.status import Outcome, State
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster


def shares(cluster: FakeCluster) -> list[int]:
    """Return the weights that the spec's revision was given, in order."""
    assert cluster.parsed.target is not None
    revision = cluster.parsed.target.revision
    return [weights[revision] for weights in cluster.weights if revision in weights]


def test_paused_canary_goes_on_when_it_is_resumed(cluster: FakeCluster) -> None:
    """Given `pause`, a good canary keeps its weight and reports it until `resume`."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.command("pause@1").run(7200)
    assert shares(cluster) == [0, 20]
    assert cluster.condition("Ready") == ("Unknown", "Paused")
    assert cluster.condition("Reconciling") == ("True", "Paused")
    assert cluster.condition("Available") == ("True", "Serving")
    assert "`resume`" in cluster.message("Ready")
    cluster.command("resume@2").until(cluster.ready)
    assert (shares(cluster), cluster.lost) == ([0, 20, 50, 90, 100, 100], 0.0)


def test_slow_model_is_not_aborted_after_a_pause(cluster: FakeCluster) -> None:
    """Given a pause longer than the deadline, a loading model still has its whole deadline."""
    behaviour = Behaviour(load_seconds=8000)
    cluster.model(2, behaviour).until(lambda: cluster.state is State.STARTING)
    cluster.command("pause@1").run(7200)
    cluster.command("resume@2").until(lambda: cluster.state is State.ANALYSING)
    behaviour.load_seconds = 30
    cluster.until(cluster.ready)
    assert "RolloutAborted" not in cluster.reasons


def test_bad_canary_is_aborted_while_paused_by_command(cluster: FakeCluster) -> None:
    """Given `pause`, a canary that fails is still aborted."""
    cluster.model(2, Behaviour(error_rate=0.3)).until(lambda: cluster.state is State.ANALYSING)
    cluster.command("pause@1").until(lambda: cluster.rollout is None)
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.reason == "AnalysisFailed"


def test_forgotten_pause_ends_with_stable_serving(cluster: FakeCluster) -> None:
    """Given a pause without an end, the canary is aborted though Prometheus is down."""
    stable = cluster.stable
    cluster.edit(lambda spec: spec["rollout"].update(pauseTimeoutSeconds=3600))
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.prometheus.up = False
    cluster.command("pause@1").run(3500)
    assert cluster.state is State.ANALYSING
    cluster.run(300)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert (last.outcome, last.reason) == (Outcome.ABORTED, "PauseTimeout")
    assert (cluster.stable, cluster.weights[-1], cluster.lost) == (stable, {stable: 100}, 0.0)


def test_promote_full_needs_no_users(cluster: FakeCluster) -> None:
    """Given no users and `promote-full`, the canary gets all traffic once at full scale."""
    cluster.requests_per_second = 0.0
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.command("promote-full@1").until(cluster.ready)
    assert shares(cluster) == [0, 20, 100, 100]
    last = cluster.parsed.last_rollout
    assert last is not None
    assert last.outcome is Outcome.FAST_PROMOTED


def test_promote_full_loses_no_request(cluster: FakeCluster) -> None:
    """Given users and `promote-full` right at the start, no request is lost."""
    cluster.model(2, Behaviour(load_seconds=60)).until(lambda: cluster.state is State.STARTING)
    cluster.command("promote-full@1").until(cluster.ready)
    assert (shares(cluster), cluster.lost) == ([0, 100, 100], 0.0)


def test_paused_canary_survives_kills_of_the_operator(cluster: FakeCluster) -> None:
    """Given an operator that is killed at every other status, pause and resume still work."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    for command, passes in (("pause@1", 60), ("resume@2", 200)):
        cluster.command(command)
        for number in range(passes):
            cluster.alive = number % 2 == 1
            cluster.reconcile()
            cluster.alive = True
            cluster.tick(5.0)
        if command == "pause@1":
            assert shares(cluster) == [0, 20]
    assert (cluster.rollout, cluster.lost) == (None, 0.0)
    assert shares(cluster)[-1] == 100
