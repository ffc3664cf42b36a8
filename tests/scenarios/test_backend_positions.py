"""Routers that name their counters by the backend's position in the route."""

from halimede.api.status import State
from halimede.judge.reading import BackendPosition
from harness.fake_cluster import FakeCluster


def test_the_judge_gets_the_positions_in_the_route(cluster: FakeCluster) -> None:
    """Positions are numbered as in Envoy Gateway: stable first, the rules in the route's order."""
    cluster.edit(lambda spec: spec["rollout"]["analysis"].update(provider="EnvoyGateway"))
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.run(120)
    assert cluster.prometheus.asked
    rollout = cluster.rollout
    assert rollout is not None
    assert {one.backends for one in cluster.prometheus.asked} == {
        tuple(
            BackendPosition("ml/digits", rule, place, revision, port)
            for rule, port in ((0, 8001), (1, 8000), (2, 8001))
            for place, revision in ((0, rollout.base), (1, rollout.revision))
        )
    }


def test_the_judge_gets_the_age_of_the_stable_revision(
    cluster: FakeCluster,
) -> None:
    """Before that time the counters of its position belonged to another revision."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.run(60)
    stable = cluster.parsed.stable
    assert stable is not None
    assert {one.stable_since for one in cluster.prometheus.asked} == {stable.since}


def test_other_routers_need_not_know(cluster: FakeCluster) -> None:
    """Contour's counters name the Service, so positions are not passed."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    cluster.run(60)
    assert {one.backends for one in cluster.prometheus.asked} == {()}
