"""The user's own HTTPRoute: used for the weights, checked, and restored at the end."""

from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.api.status import State
from halimede.judge.reading import BackendPosition
from halimede.render.user_route import annotation
from harness.fake_spec import GATEWAY
from tests.support.user_route import RoutedCluster, user_route

ENTRY: Manifest = {"group": "", "kind": "Service", "name": "digits", "port": 8000, "weight": 1}
OTHER: Manifest = ENTRY | {"name": "old-service"}


@pytest.fixture
def routed() -> RoutedCluster:
    """Make a cluster in which a first revision serves behind the user's route."""
    served = RoutedCluster()
    served.until(served.ready)
    served.run(120)
    served.lost = 0.0
    return served


def analysing(cluster: RoutedCluster) -> RoutedCluster:
    """Run a canary to its first step."""
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    return cluster


def refer(name: str) -> Any:
    """Set `routeRef` to another route."""
    return lambda spec: spec["expose"]["gateway"].update(routeRef={"name": name})


@pytest.mark.transition("step-weight-set")
def test_a_canary_through_a_route_of_the_users(routed: RoutedCluster) -> None:
    """Given the user's route, its weights change step by step, and no request is lost."""
    stable = routed.stable or ""
    assert routed.backends() == {stable: 100}
    assert ("HTTPRoute", "digits") not in routed.objects
    analysing(routed)
    assert sorted(routed.backends().values()) == [20, 80]
    routed.until(routed.ready)
    assert routed.stable != stable
    assert routed.backends() == {routed.stable: 100}
    assert (routed.lost, routed.parsed.url) == (0.0, "http://shop.example.com")
    assert routed.strangers == []
    assert routed.parsed.foreign_writes is None


def test_the_judge_gets_the_positions_in_the_users_route(routed: RoutedCluster) -> None:
    """Given a router that counts by position, the positions are those of the user's route."""
    routed.edit(lambda spec: spec["rollout"]["analysis"].update(provider="EnvoyGateway"))
    analysing(routed).run(60)
    rollout = routed.rollout
    assert rollout is not None
    assert {one.backends for one in routed.prometheus.asked} == {
        (
            BackendPosition("ml/shop", 0, 0, rollout.base, 8000),
            BackendPosition("ml/shop", 0, 1, rollout.revision, 8000),
        )
    }


def test_the_finalizer_comes_before_the_route_is_touched() -> None:
    """Given a new object, its route is changed only with a finalizer and a serving revision."""
    cluster = RoutedCluster()
    cluster.settle()
    assert (cluster.log, cluster.routes) == ([], {"shop": cluster.routes["shop"]})
    cluster.until(cluster.ready)
    assert cluster.log == ["finalizer on", "patch shop", "patch shop"]


def test_nothing_is_written_at_rest(routed: RoutedCluster) -> None:
    """Given a route in its desired state, passes write nothing."""
    done = list(routed.log)
    routed.run(1800)
    assert routed.log == done
    assert routed.reconcile().status is None


def weighted(cluster: RoutedCluster, route: str) -> set[str]:
    """Return the backends that get requests."""
    return {name for name, weight in cluster.backends(route).items() if weight}


@pytest.mark.transition("object-deleted")
@pytest.mark.parametrize("state", [None, State.ANALYSING, State.BAKING])
def test_a_deleted_object_gives_the_route_back(routed: RoutedCluster, state: State | None) -> None:
    """Given any state, deletion moves the weight, waits, restores the route, and ends."""
    if state is not None:
        routed.model(2).until(lambda: routed.state is state)
    routed.delete().run(10)
    assert weighted(routed, "shop") == {"digits"}
    assert len(routed.backends("shop")) > 1
    assert not routed.gone
    routed.run(20)
    assert routed.routes["shop"]["spec"] == user_route()["spec"]
    assert annotation("digits") not in routed.routes["shop"]["metadata"]["annotations"]
    assert routed.gone
    assert (routed.lost, routed.log[-3:]) == (0.0, ["patch shop", "patch shop", "finalizer off"])
    assert routed.strangers == []


@pytest.mark.transition("object-deleted")
def test_deletion_needs_neither_metrics_nor_a_stable_revision() -> None:
    """Given an object that never served, or a missing route, deletion waits for nothing."""
    never = RoutedCluster(pods={}, gateway=False)
    never.finalizers = ("halimede.dev/route",)
    never.delete().run(5)
    assert never.gone
    lost = RoutedCluster()
    lost.until(lost.ready)
    lost.routes.clear()
    lost.delete().run(5)
    assert (lost.gone, lost.reasons.count("RouteNotReturned")) == (True, 0)


@pytest.mark.transition("object-deleted")
def test_a_route_that_cannot_be_given_back_keeps_nothing_for_ever(routed: RoutedCluster) -> None:
    """Given a patch that is rejected, the object is deleted after 300 s with a Warning."""
    routed.patchable = False
    routed.delete().run(290)
    assert not routed.gone
    routed.run(20)
    assert routed.gone
    assert routed.reasons.count("RouteNotReturned") == 1
    assert annotation("digits") in routed.events[-1].message


@pytest.mark.transition("object-deleted")
def test_an_unreadable_spec_does_not_keep_the_object(routed: RoutedCluster) -> None:
    """Given a spec and a status that cannot be read, deletion still ends."""
    routed.spec = {"model": "an older schema"}
    routed.delete().run(30)
    assert routed.gone
    assert routed.routes["shop"]["spec"] == user_route()["spec"]


def test_another_route_is_used_and_the_first_given_back(routed: RoutedCluster) -> None:
    """Given a routeRef that changes during a canary, the old route is restored when it is safe."""
    routed.routes["new"] = user_route("new")
    analysing(routed).edit(refer("new")).run(5)
    assert weighted(routed, "shop") == {"digits"}
    assert sorted(routed.backends("new").values()) == [0, 0, 100]
    routed.run(30)
    assert routed.routes["shop"]["spec"] == user_route()["spec"]
    assert sorted(routed.backends("new").values()) == [20, 80]
    assert [one.name for one in routed.parsed.user_routes] == ["new"]
    routed.until(routed.ready)
    assert routed.finalizers


def test_another_type_gives_the_route_back(routed: RoutedCluster) -> None:
    """Given a switch to another type, the user's route is restored and the finalizer removed."""
    routed.edit(lambda spec: spec.update(expose=GATEWAY)).run(60)
    assert routed.routes["shop"]["spec"] == user_route()["spec"]
    assert ("HTTPRoute", "digits") in routed.objects
    assert (routed.finalizers, routed.parsed.user_routes) == ((), ())


def _vanish(cluster: RoutedCluster) -> None:
    cluster.routes.clear()
    cluster._drift += 1


UNFIT = {
    "gone": (_vanish, "there is no HTTPRoute 'shop'"),
    "for something else": (
        lambda cluster: cluster.write("shop", "kubectl", OTHER),
        "no rule has the Service 'digits' with port",
    ),
    "in use": (
        lambda cluster: (
            cluster.routes["shop"]["metadata"]["annotations"].update({annotation("b"): "[]"}),
            cluster.write("shop", "halimede", ENTRY, ENTRY | {"name": "b"}),
        ),
        "rule 0 is in use by the ModelDeployment 'b'",
    ),
}


@pytest.mark.transition("route-deleted")
@pytest.mark.parametrize("name", UNFIT)
def test_an_unusable_route_holds_the_canary(routed: RoutedCluster, name: str) -> None:
    """Given a route without a backend for the model, the canary is held without a timeout."""
    spoil, said = UNFIT[name]
    analysing(routed)
    spoil(routed)
    done = len(routed.log)
    routed.run(1500)
    assert routed.condition("Ready") == ("Unknown", "RouteNotAccepted")
    assert "spec.expose.gateway.routeRef.name" in routed.message("Ready")
    assert said in routed.message("Ready")
    assert (routed.rollout.weight if routed.rollout else None, len(routed.log)) == (20, done)
    routed.routes["shop"] = user_route()
    routed.run(20)
    assert sorted(routed.backends().values()) == [20, 80]
    routed.until(routed.ready)


def test_an_unusable_route_of_a_first_revision_is_reported() -> None:
    """Given a missing route, the first revision starts, and Ready says what is missing."""
    cluster = RoutedCluster(routes={})
    cluster.run(60)
    assert cluster.condition("Ready") == ("False", "RouteNotAccepted")
    assert "create it with a backendRef to the Service 'digits'" in cluster.message("Ready")
    assert cluster.reasons.count("RouteNotAccepted") == 1
    cluster.routes["shop"] = user_route()
    cluster.until(cluster.ready)


@pytest.mark.transition("foreign-write")
def test_gitops_that_puts_the_route_back_is_a_foreign_writer(routed: RoutedCluster) -> None:
    """Given a tool that reverts the backends, they are written again and it is finally named."""
    analysing(routed)
    for _ in range(5):
        routed.write("shop", "argocd-controller", ENTRY)
        routed.run(20)
        assert sorted(routed.backends().values()) == [20, 80]
    assert routed.condition("Ready") == ("Unknown", "RouteConflict")
    assert "'argocd-controller'" in routed.message("Ready")
    routed.delete().run(30)
    assert routed.gone
    assert routed.routes["shop"]["spec"] == user_route()["spec"]


def test_a_kill_before_the_patch_is_no_foreign_write(routed: RoutedCluster) -> None:
    """Given an operator that is killed before each patch, the next run writes the weights."""
    routed.model(2).until(lambda: routed.state is State.SHIFTING)
    routed.alive = False
    routed.run(100)
    routed.alive = True
    routed.until(routed.ready)
    assert (routed.parsed.foreign_writes, routed.lost) == (None, 0.0)
