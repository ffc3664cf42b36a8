"""Complete canary rollouts: users send requests, Prometheus counts, the real judge decides."""

import pytest

from halimede.api.base import Manifest
from halimede.api.exit_codes import TRY_AGAIN
from halimede.api.status import Outcome, State
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster

BAD = Behaviour(error_rate=0.3)
CRASHING = Behaviour(
    container={
        "name": "triton",
        "ready": False,
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {"terminated": {"exitCode": 1, "message": "failed to load 'digits'"}},
    }
)
AWAY = Behaviour(
    container={
        "name": "fetch",
        "ready": False,
        "restartCount": 5,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
        "lastState": {"terminated": {"exitCode": TRY_AGAIN, "message": "responded with 503"}},
    }
)


def shares(cluster: FakeCluster, revision: str) -> list[int]:
    """Return the weights that a revision was given, in order."""
    return [weights[revision] for weights in cluster.weights if revision in weights]


def target(cluster: FakeCluster) -> str:
    """Return the revision that the spec asks for."""
    assert cluster.parsed.target is not None
    return cluster.parsed.target.revision


def test_good_canary_is_promoted_step_by_step(cluster: FakeCluster) -> None:
    """Given a good canary, it gets 20, 50, 90 and 100 % in turn, and no request is lost."""
    cluster.model(2).run(10)
    cluster.until(cluster.ready)
    assert shares(cluster, target(cluster)) == [0, 20, 50, 90, 100, 100]
    assert (cluster.stable, cluster.lost) == (target(cluster), 0.0)
    assert cluster.condition("Ready") == ("True", "Serving")
    assert cluster.condition("Reconciling") is None


def test_canary_that_lets_requests_hang_is_aborted(cluster: FakeCluster) -> None:
    """Given a canary of which 20 % of the requests time out, it stays at its first step."""
    cluster.model(2, Behaviour(hang_rate=0.2)).run(10)
    bad = target(cluster)
    cluster.until(lambda: cluster.rollout is None)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert (last.outcome, last.reason, last.revision) == (Outcome.ABORTED, "AnalysisFailed", bad)
    assert shares(cluster, bad) == [0, 20, 0]


@pytest.mark.parametrize(
    ("analysis", "expected"),
    [
        ({}, True),
        ({"onClientErrors": "Abort"}, True),
        ({"onClientErrors": "Ignore"}, False),
        ({"provider": "None"}, False),
    ],
    ids=["Hold", "Abort", "Ignore", "no router"],
)
def test_client_errors_are_asked_for_unless_they_are_ignored(
    cluster: FakeCluster, analysis: Manifest, *, expected: bool
) -> None:
    """Given a router, its client errors are queried unless the analysis ignores them."""
    cluster.edit(lambda spec: spec["rollout"]["analysis"].update(analysis))
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING).run(60)
    assert {one.client_errors for one in cluster.prometheus.asked} == {expected}


def test_promotion_restarts_no_pod(cluster: FakeCluster) -> None:
    """Given a promoted canary, its first pod still runs and its Deployment was only scaled."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    pods = {name: one for name, one in cluster.pods.items() if one[0] == target(cluster)}
    cluster.until(cluster.ready)
    assert pods.items() <= cluster.pods.items()


def test_bad_canary_is_aborted_with_its_evidence(cluster: FakeCluster) -> None:
    """Given a canary that fails 30 %, it stays at its first step, and the status says why."""
    stable = cluster.stable
    cluster.model(2, BAD).run(10)
    bad = target(cluster)
    cluster.until(lambda: cluster.rollout is None)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert (last.outcome, last.reason, last.revision) == (Outcome.ABORTED, "AnalysisFailed", bad)
    assert last.evidence is not None
    assert last.evidence.sources[0].canary_errors > 0
    assert shares(cluster, bad) == [0, 20, 0]
    assert (cluster.stable, cluster.lost) == (stable, 0.0)
    assert [cluster.condition(one) for one in ("Ready", "Available", "Stalled")] == [
        ("False", "CanaryFailed"),
        ("True", "Serving"),
        ("True", "CanaryFailed"),
    ]
    assert "requests failed" in cluster.message("Ready")
    assert cluster.reasons.count("RolloutAborted") == 1


def test_aborted_canary_is_deleted_and_not_retried(cluster: FakeCluster) -> None:
    """Given an aborted canary, its children are deleted, and it is not retried for hours."""
    cluster.model(2, BAD).run(10)
    bad = target(cluster)
    cluster.until(lambda: cluster.rollout is None)
    cluster.run(3600)
    assert cluster.replicas(bad) is None
    assert cluster.reasons.count("RolloutStarted") == 1


@pytest.mark.transition("failed-revision")
def test_retry_rolls_out_an_aborted_canary_again(cluster: FakeCluster) -> None:
    """Given an aborted canary whose fault lay elsewhere, `retry` rolls it out again."""
    behaviour = Behaviour(error_rate=0.3)
    cluster.model(2, behaviour).run(10)
    cluster.until(lambda: cluster.rollout is None)
    first = cluster.parsed.last_rollout
    behaviour.error_rate = 0.0
    cluster.command("retry@1").until(lambda: cluster.ready() and cluster.rollout is None)
    assert cluster.stable == target(cluster)
    assert first is not None
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.id != first.id


@pytest.mark.transition("canary-crashed")
def test_revision_that_never_loads_gets_no_traffic(cluster: FakeCluster) -> None:
    """Given a model that Triton cannot load, it gets no request, and the status has the error."""
    stable = cluster.stable
    cluster.model(2, CRASHING).run(60)
    assert {revision for weights in cluster.weights for revision in weights} == {stable}
    assert cluster.condition("Ready") == ("False", "CanaryFailed")
    assert "failed to load 'digits'" in cluster.message("Ready")


def test_a_server_that_is_away_aborts_nothing(cluster: FakeCluster) -> None:
    """Given a server that is busy for a while, the rollout waits for the model's files."""
    cluster.model(2, AWAY).run(95)
    assert (cluster.state, cluster.condition("Ready")) == (
        State.STARTING,
        ("Unknown", "RollingOut"),
    )
    assert "responded with 503" in cluster.message("Ready")
    cluster.model(2, Behaviour())
    cluster.until(cluster.ready)
    assert cluster.stable == target(cluster)


@pytest.mark.transition("no-requests")
def test_without_requests_no_weight_moves(cluster: FakeCluster) -> None:
    """Given no users, the canary stays at its first step and the conditions say why."""
    cluster.requests_per_second = 0.0
    cluster.model(2).run(1800)
    assert shares(cluster, target(cluster)) == [0, 20]
    assert cluster.condition("Ready") == ("Unknown", "MetricsHold")
    assert cluster.condition("Available") == ("True", "Serving")
    cluster.requests_per_second = 40.0
    cluster.until(cluster.ready)
    assert cluster.stable == target(cluster)


@pytest.mark.transition("metrics-down")
def test_without_prometheus_no_weight_moves(cluster: FakeCluster) -> None:
    """Given an outage of Prometheus during a canary, weights stay, and afterwards it continues."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.prometheus.up = False
    cluster.run(1800)
    assert shares(cluster, target(cluster)) == [0, 20]
    assert cluster.condition("Ready") == ("Unknown", "MetricsHold")
    assert "Prometheus does not answer" in cluster.message("Ready")
    cluster.prometheus.up = True
    cluster.until(cluster.ready)
    assert (cluster.stable, cluster.lost) == (target(cluster), 0.0)


def test_operator_that_was_away_for_two_hours_goes_one_step_on(cluster: FakeCluster) -> None:
    """Given two hours without an operator, the rollout moves on by one step only."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.run(60)
    for _ in range(1440):
        cluster.tick(5.0)
    cluster.reconcile()
    assert cluster.weights[-1][target(cluster)] <= 50


@pytest.mark.transition("clock-set-back")
def test_clock_that_is_set_back(cluster: FakeCluster) -> None:
    """Given a clock that goes back by a minute during a canary, it is still promoted."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.now -= 60
    cluster.until(cluster.ready)
    assert (cluster.stable, cluster.lost) == (target(cluster), 0.0)


@pytest.mark.transition("third-revision")
def test_third_revision_in_mid_canary(cluster: FakeCluster) -> None:
    """Given a canary, a third spec supersedes it and is compared with the stable revision."""
    stable = cluster.stable
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    second = target(cluster)
    cluster.model(3).until(lambda: cluster.rollout and cluster.rollout.revision != second)
    assert cluster.rollout is not None
    assert cluster.rollout.base == stable
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.outcome is Outcome.SUPERSEDED
    cluster.until(cluster.ready)
    assert (cluster.stable, cluster.lost) == (target(cluster), 0.0)


@pytest.mark.transition("reverted")
def test_spec_that_goes_back_in_mid_canary(cluster: FakeCluster) -> None:
    """Given a canary, a revert ends it with one write, and Ready follows at once."""
    stable = cluster.stable
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.model(1).until(cluster.ready)
    assert (cluster.stable, cluster.parsed.failed_revisions, cluster.lost) == (stable, (), 0.0)
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.outcome is Outcome.REVERTED


@pytest.mark.transition("earlier-revision")
def test_way_back_after_a_promotion(cluster: FakeCluster) -> None:
    """Given a recent promotion, the old spec returns without steps: its pods are warm."""
    first = cluster.stable
    cluster.model(2).run(10)
    cluster.until(cluster.ready)
    begun = cluster.now
    cluster.model(1).run(5)
    cluster.until(lambda: cluster.weights[-1].get(first or "") == 100)
    assert cluster.now - begun < 60
    cluster.until(cluster.ready)
    assert (cluster.stable, cluster.lost) == (first, 0.0)


def test_paused_canary(cluster: FakeCluster) -> None:
    """Given `paused`, a good canary keeps its weight; without it, the rollout continues."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.edit(lambda spec: spec["rollout"].update(paused=True)).run(1800)
    assert cluster.condition("Reconciling") == ("True", "Paused")
    assert shares(cluster, target(cluster)) == [0, 20]
    cluster.edit(lambda spec: spec["rollout"].update(paused=False)).until(cluster.ready)
    assert cluster.stable == target(cluster)


def test_bad_canary_is_aborted_while_paused(cluster: FakeCluster) -> None:
    """Given a pause, a bad canary is still aborted."""
    cluster.model(2, BAD).until(lambda: cluster.state is State.ANALYSING)
    cluster.edit(lambda spec: spec["rollout"].update(paused=True))
    cluster.until(lambda: cluster.rollout is None)
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.outcome is Outcome.ABORTED


def test_promote_goes_on_without_evidence(cluster: FakeCluster) -> None:
    """Given no users, `promote` moves the canary on by one step, once per token."""
    cluster.requests_per_second = 0.0
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.command("promote@1").run(300)
    assert shares(cluster, target(cluster)) == [0, 20, 50]


def test_lost_endpoints_cost_seconds_not_requests(cluster: FakeCluster) -> None:
    """Given a canary that loses its pods, its weight goes back to stable in the next pass."""
    behaviour = Behaviour()
    cluster.model(2, behaviour).until(lambda: cluster.state is State.ANALYSING)
    behaviour.load_seconds = 1e9
    cluster.settle()
    assert cluster.weights[-1][target(cluster)] == 0
    cluster.run(300)
    assert (cluster.lost, cluster.condition("Ready")) == (0.0, ("False", "CanaryFailed"))


@pytest.mark.parametrize("behaviour", [Behaviour(), BAD], ids=["good", "bad"])
@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_killed_again_and_again(cluster: FakeCluster, behaviour: Behaviour, every: int) -> None:
    """Given an operator that is killed every few statuses, the outcome is the same."""
    stable = cluster.stable
    cluster.model(2, behaviour)
    for number in range(400):
        cluster.alive = number % (every + 1) != 0
        cluster.reconcile()
        cluster.alive = True
        if number % every == 0:
            cluster.settle()
        cluster.tick(5.0)
    expected = stable if behaviour.error_rate else target(cluster)
    assert (cluster.stable, cluster.rollout, cluster.lost) == (expected, None, 0.0)


def test_edited_steps(cluster: FakeCluster) -> None:
    """Given steps that are edited in a rollout, the weight never falls and evidence is kept."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.run(50)
    assert cluster.rollout is not None
    assert cluster.rollout.evidence is not None
    seen = cluster.rollout.evidence.sources[0].canary_requests
    steps = [{"weight": 10, "minSeconds": 30}, {"weight": 40, "minSeconds": 30}]
    cluster.edit(lambda spec: spec["rollout"]["canary"].update(steps=steps)).run(30)
    assert cluster.rollout is not None
    assert cluster.rollout.evidence is not None
    assert cluster.rollout.evidence.sources[0].canary_requests >= seen > 0
    cluster.until(cluster.ready)
    assert shares(cluster, target(cluster)) == [0, 20, 40, 90, 100, 100]


def test_nothing_is_written_at_rest(cluster: FakeCluster) -> None:
    """Given nothing to do, a day passes without a write and without a query to Prometheus."""
    writes, asked = len(cluster.writes), len(cluster.prometheus.asked)
    status = dict(cluster.status)
    for _ in range(24):
        cluster.now += 3600
        plan = cluster.reconcile()
        assert (plan.status, plan.applies, plan.deletes, plan.events) == (None, (), (), ())
    assert (len(cluster.writes), len(cluster.prometheus.asked)) == (writes, asked)
    assert cluster.status == status


@pytest.mark.transition("no-requests")
def test_no_data_aborts_the_rollout_with_abort(cluster: FakeCluster) -> None:
    """Given `onNoData: Abort` and no users, the canary is aborted after the timeout."""
    wish = {"onNoData": "Abort", "noDataTimeoutSeconds": 300}
    cluster.edit(lambda spec: spec["rollout"]["analysis"].update(wish))
    cluster.requests_per_second = 0.0
    cluster.model(2).run(10)
    cluster.until(lambda: cluster.rollout is None, 900)
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.reason == "NoData"


def test_url_is_in_the_status(cluster: FakeCluster) -> None:
    """Given a hostname, the status says where clients reach the model."""
    cluster.edit(lambda spec: spec["expose"]["gateway"].update(hostnames=["digits.example.com"]))
    cluster.run(10)
    assert cluster.parsed.url == "http://digits.example.com"


def test_ingress_moves_traffic_by_its_canary(cluster: FakeCluster) -> None:
    """Given an Ingress, a second one has the weight and is deleted after the promotion."""
    expose = {"type": "Ingress", "ingress": {"host": "digits.example.com", "className": "nginx"}}
    cluster.edit(lambda spec: spec.update(expose=expose))
    cluster.edit(lambda spec: spec["rollout"]["analysis"].update(provider="None")).run(30)
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    canary = cluster.objects["Ingress", "digits-canary"]
    assert canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"] == "20"
    cluster.command("abort@1").until(lambda: cluster.rollout is None)
    assert ("Ingress", "digits-canary") not in cluster.objects
    assert cluster.parsed.url == "http://digits.example.com"


def test_too_little_traffic_is_reported_at_the_first_poll() -> None:
    """Given 0.5 requests/s, one Event and the condition propose a sufficient weight.

    Nothing else changes: the rollout continues and waits for its requests.
    """
    cluster = FakeCluster(requests_per_second=0.5)
    cluster.edit(lambda spec: spec["rollout"]["canary"]["steps"][0].update(weight=5))
    cluster.run(1200)
    cluster.model(2).until(lambda: cluster.rollout and cluster.rollout.evidence)
    cluster.run(300)
    events = [event for event in cluster.events if event.reason == "TrafficTooLow"]
    assert [(event.type, "raise its weight to 22," in event.message) for event in events] == [
        ("Warning", True)
    ]
    assert "Too few requests: step 1 needs about 184 requests" in cluster.message("Ready")
    assert cluster.state is State.ANALYSING


def test_enough_traffic_is_not_complained_of(cluster: FakeCluster) -> None:
    """Given 40 requests/s, there is no advice."""
    cluster.run(600)
    cluster.model(2).until(cluster.ready)
    assert "TrafficTooLow" not in cluster.reasons
