"""Foreign writes of the route: reverted, counted, and a conflict if they are frequent."""

import pytest

from halimede.api.status import State
from harness.fake_cluster import FakeCluster

FIGHT = 5


def analysing(cluster: FakeCluster) -> FakeCluster:
    """Run a canary to its first step."""
    return cluster.model(2).until(lambda: cluster.state is State.ANALYSING)


def fought(cluster: FakeCluster, seconds: float = 5.0) -> FakeCluster:
    """Write foreign weights often enough for a conflict."""
    for _ in range(FIGHT):
        cluster.meddle(0)
        cluster.run(seconds)
    return cluster


@pytest.mark.transition("foreign-write")
def test_a_foreign_weight_is_set_back_and_counted(cluster: FakeCluster) -> None:
    """Given one foreign write, it is reverted, its manager named, and the canary continues."""
    analysing(cluster).meddle(0)
    cluster.run(5)
    assert list(cluster.weights[-1].values()) == [80, 20]
    recorded = cluster.parsed.foreign_writes
    assert recorded is not None
    assert (recorded.manager, len(recorded.at), recorded.held_since) == (
        "argocd-controller",
        1,
        None,
    )
    cluster.until(cluster.ready)
    cluster.run(600)
    assert cluster.parsed.foreign_writes is None


@pytest.mark.transition("foreign-write")
def test_a_fight_holds_the_rollout_until_it_is_quiet(cluster: FakeCluster) -> None:
    """Given five foreign writes, a Warning names the manager, and no weight rises for a while."""
    fought(analysing(cluster))
    assert cluster.condition("Ready") == ("Unknown", "RouteConflict")
    assert "'argocd-controller'" in cluster.message("Ready")
    assert cluster.reasons.count("RouteConflict") == 1
    cluster.run(560)
    assert list(cluster.weights[-1].values()) == [80, 20]
    cluster.until(cluster.ready)
    assert cluster.reasons.count("RouteConflict") == 1
    assert cluster.lost == 0.0


@pytest.mark.transition("foreign-write")
def test_slow_writes_that_go_on_keep_the_hold(cluster: FakeCluster) -> None:
    """Given a conflict, a write every nine minutes prolongs it; ten minutes without end it."""
    fought(analysing(cluster))
    for _ in range(3):
        cluster.run(540).meddle(0)
        cluster.run(5)
        assert cluster.condition("Ready") == ("Unknown", "RouteConflict")
    cluster.run(590)
    assert cluster.state is State.ANALYSING
    cluster.until(cluster.ready)


@pytest.mark.transition("foreign-write")
def test_rare_writes_are_no_fight(cluster: FakeCluster) -> None:
    """Given five writes in more than ten minutes, nothing is held."""
    analysing(cluster)
    fought(cluster, seconds=180)
    assert "RouteConflict" not in cluster.reasons


@pytest.mark.transition("foreign-write")
def test_safety_goes_on_in_a_fight(cluster: FakeCluster) -> None:
    """Given a conflict, an abort still moves all traffic back."""
    fought(analysing(cluster)).command("abort@1").until(lambda: cluster.state is None)
    assert list(cluster.weights[-1].values()) == [100]


@pytest.mark.transition("foreign-write")
def test_a_write_that_cannot_be_set_back_counts_once(cluster: FakeCluster) -> None:
    """Given a foreign write that cannot be reverted, further passes do not count it again."""
    analysing(cluster).alive = False
    cluster.meddle(0)
    cluster.run(100)
    recorded = cluster.parsed.foreign_writes
    assert recorded is not None
    assert len(recorded.at) == 1


@pytest.mark.transition("foreign-write")
def test_own_writes_that_were_lost_are_not_foreign(cluster: FakeCluster) -> None:
    """Given an operator that is killed before each write of the route, no conflict is reported."""
    cluster.model(2).until(lambda: cluster.state is State.SHIFTING)
    cluster.alive = False
    cluster.run(100)
    cluster.alive = True
    cluster.until(cluster.ready)
    assert cluster.parsed.foreign_writes is None


@pytest.mark.transition("foreign-write")
def test_a_route_conflict_without_a_rollout_is_reported(cluster: FakeCluster) -> None:
    """Given a conflict without a rollout, Ready names the manager until the writes stop."""
    fought(cluster)
    assert cluster.condition("Ready") == ("Unknown", "RouteConflict")
    assert cluster.condition("Available") == ("True", "Serving")
    cluster.run(620)
    assert cluster.condition("Ready") == ("True", "Serving")
