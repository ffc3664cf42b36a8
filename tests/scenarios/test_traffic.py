"""Complete canaries whose traffic sets their duration and first weight."""

from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.api.status import State
from halimede.rollout.explain import explain_rollout
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster


def serving(per_second: float, seconds: float = 60.0, **canary: Any) -> FakeCluster:
    """Serve a first revision with this rate of requests, with canaries without steps."""
    cluster = FakeCluster(requests_per_second=per_second)
    cluster.edit(lambda spec: spec["rollout"].update(canary={"bakeSeconds": 60, **canary}))
    cluster.until(cluster.ready)
    cluster.lost = 0.0
    return cluster.run(seconds)


def shares(cluster: FakeCluster) -> list[int]:
    """Return the weights that the spec's revision was given, in order."""
    assert cluster.parsed.target is not None
    revision = cluster.parsed.target.revision
    return [weights[revision] for weights in cluster.weights if revision in weights]


def at_a_step(cluster: FakeCluster) -> bool:
    """Return whether a step is analysed."""
    return cluster.state is State.ANALYSING


def messages(cluster: FakeCluster, reason: str) -> list[str]:
    """Return the messages of the Events with this reason."""
    return [event.message for event in cluster.events if event.reason == reason]


STEPS: list[Manifest] = [{"weight": 5}, {"weight": 50}]


def test_too_little_traffic_is_reported_from_the_rollout_itself() -> None:
    """Given no baseline and 0.2 requests/s, the advice uses the rollout's own requests."""
    cluster = serving(0.2, steps=STEPS).model(2)
    cluster.until(lambda: cluster.rollout and cluster.rollout.evidence)
    cluster.run(240)
    assert messages(cluster, "TrafficTooLow") == []
    cluster.run(420)
    assert cluster.rollout is not None
    evidence = cluster.rollout.evidence
    assert evidence is not None
    assert evidence.requests_per_second == pytest.approx(0.2, rel=0.1)
    events = messages(cluster, "TrafficTooLow")
    assert len(events) == 1
    sentence = "at 0.2 requests/s the step takes about 59 min"
    for where in (*events, cluster.message("Ready"), explain_rollout(cluster.deployment)):
        assert "step 1 needs about 35 requests and gets 17 in its maxSeconds (1800)" in where
        assert f"so the rollout pauses there; {sentence}" in where
        assert "raise its weight to 10, or raise its maxSeconds to" in where
    assert "Step 1 needs about 29 more clean requests (about 48 min at 0.2 requests/s)." in (
        explain_rollout(cluster.deployment)
    )
    cluster.run(2000)
    assert cluster.condition("Ready") == ("Unknown", "Paused")
    assert sentence in cluster.message("Ready")
    assert len(messages(cluster, "TrafficTooLow")) == 1


def test_step_that_will_pass_in_time_has_its_estimate() -> None:
    """Given enough requests, the condition has the remaining time."""
    cluster = serving(2.0, 1200.0, steps=[{"weight": 20}]).model(2)
    cluster.until(lambda: at_a_step(cluster)).run(120)
    assert "The step needs about " in cluster.message("Ready")
    assert " more requests: about " in cluster.message("Ready")
    assert " min at 2 requests/s." in cluster.message("Ready")
    assert messages(cluster, "TrafficTooLow") == []


def test_falling_traffic_is_reported() -> None:
    """Given a busy past and then no requests, the advice does not use the past."""
    cluster = serving(10.0, 1200.0, steps=STEPS)
    cluster.model(2).until(lambda: cluster.rollout and cluster.rollout.evidence)
    assert messages(cluster, "TrafficTooLow") == []
    cluster.requests_per_second = 0.05
    cluster.run(1200)
    assert len(messages(cluster, "TrafficTooLow")) == 1


def test_first_weight_follows_the_past() -> None:
    """Given 1.7 requests/s before the rollout, its first step is raised once."""
    cluster = serving(1.7, 1200.0).model(2)
    cluster.until(lambda: at_a_step(cluster) and shares(cluster)[-1] > 5)
    assert cluster.rollout is not None
    assert (cluster.rollout.first_weight, shares(cluster)) == (12, [0, 5, 12])
    assert cluster.rollout.evidence is not None
    assert len(messages(cluster, "FirstWeightChosen")) == 1
    assert "First weight: 12 %, chosen from the traffic" in explain_rollout(cluster.deployment)
    cluster.until(cluster.ready, 7200)
    assert (shares(cluster), cluster.lost) == ([0, 5, 12, 25, 50, 70, 100, 100], 0.0)
    assert len(messages(cluster, "FirstWeightChosen")) == 1


def test_first_weight_follows_the_rollouts_own_traffic() -> None:
    """Given no past, the weight is chosen after five minutes and stays if traffic rises."""
    cluster = serving(0.2).model(2)
    cluster.until(lambda: at_a_step(cluster) and shares(cluster)[-1] > 5)
    assert shares(cluster) == [0, 5, 25]
    cluster.requests_per_second = 20.0
    cluster.until(cluster.ready)
    assert shares(cluster) == [0, 5, 25, 35, 50, 90, 100, 100]


def test_first_weight_stays_low_where_there_is_much_traffic() -> None:
    """Given 40 requests/s, the first weight is not raised and no Event is sent."""
    cluster = serving(40.0, 1200.0).model(2)
    cluster.until(cluster.ready)
    assert shares(cluster) == [0, 5, 25, 50, 90, 100, 100]
    assert messages(cluster, "FirstWeightChosen") == []


def test_first_weight_after_copies_is_the_first_that_users_meet() -> None:
    """Given a mirror, the first weight is chosen before the first step."""
    cluster = serving(1.7, 1200.0, mirror={"minSeconds": 60}).model(2)
    cluster.until(lambda: at_a_step(cluster))
    assert shares(cluster) == [0, 12]


@pytest.mark.parametrize("waiting", ["Pause", "Abort"])
def test_requests_that_end_are_no_data_again(waiting: str) -> None:
    """Given a canary whose requests end, `onNoData` applies after the timeout."""
    cluster = serving(0.2, steps=STEPS)
    analysis = {"onNoData": waiting, "noDataTimeoutSeconds": 600}
    cluster.edit(lambda spec: spec["rollout"]["analysis"].update(analysis))
    cluster.model(2).until(lambda: at_a_step(cluster)).run(120)
    assert cluster.rollout is not None
    assert cluster.rollout.evidence is not None
    assert cluster.rollout.evidence.requested_at is not None
    cluster.requests_per_second = 0.0
    ended = cluster.now
    cluster.run(500)
    assert cluster.condition("Ready") == ("Unknown", "RollingOut")
    cluster.run(200)
    if waiting == "Pause":
        assert cluster.condition("Ready") == ("Unknown", "MetricsHold")
        assert "No request for" in cluster.message("Ready")
        assert cluster.rollout.evidence.no_data_since == pytest.approx(ended, abs=30)
    else:
        last = cluster.parsed.last_rollout
        assert last is not None
        assert (last.reason, last.message.startswith("It has had no request for 600 s")) == (
            "NoData",
            True,
        )


def test_the_time_without_a_weight_is_no_time_without_requests() -> None:
    """Given a canary that loses its pods for a while, the timeout restarts with its weight."""
    cluster = serving(2.0, steps=STEPS)
    analysis = {"onNoData": "Abort", "noDataTimeoutSeconds": 20}
    cluster.edit(lambda spec: spec["rollout"]["analysis"].update(analysis))
    behaviour = Behaviour()
    cluster.model(2, behaviour).until(lambda: at_a_step(cluster)).run(120)
    assert cluster.state is State.ANALYSING
    behaviour.load_seconds = 1e9
    cluster.run(50)
    assert "TrafficShed" in cluster.reasons
    behaviour.load_seconds = 5.0
    cluster.until(lambda: at_a_step(cluster)).run(300)
    assert cluster.state is State.ANALYSING


def test_a_pause_is_no_time_without_requests() -> None:
    """Given a pause without requests, the timeout restarts after it."""
    cluster = serving(0.2, steps=STEPS)
    analysis = {"onNoData": "Abort", "noDataTimeoutSeconds": 600}
    cluster.edit(lambda spec: spec["rollout"]["analysis"].update(analysis))
    cluster.model(2).until(lambda: at_a_step(cluster)).run(120)
    cluster.requests_per_second = 0.0
    cluster.command("pause@1").run(3600)
    cluster.command("resume@2").run(500)
    assert cluster.state is State.ANALYSING
    cluster.run(200)
    assert cluster.parsed.last_rollout is not None
    assert cluster.parsed.last_rollout.reason == "NoData"
