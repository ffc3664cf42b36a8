"""The chart, the ModelDeployments and their namespace are removed, in both orders."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from halimede.api.v1alpha1 import ROUTE_FINALIZER
from harness.watch import Snapshot
from localcluster import chart
from localcluster.cluster import Cluster
from tests.e2e.faults import release
from tests.e2e.own_route import EXPOSED, create_route, read_route
from tests.e2e.user import NAME, User
from tests.support.waiting import wait_until

RATE = 60.0
"""Requests/s."""
MORE = 600
"""Requests that are sent while no operator is installed."""
SPLIT = {
    "expose": EXPOSED,
    "rollout__canary__steps": [{"weight": 30, "minSeconds": 600, "maxSeconds": 600}],
}
"""A canary that stays at 30 %, behind a route of the user's: this sets the finalizer."""


@pytest.fixture
def uninstallable(cluster: Cluster) -> Iterator[Cluster]:
    """Leave the cluster with Halimede, whatever the test removes."""
    yield cluster
    release.restore(cluster)


def test_models_are_deleted_before_the_chart(uninstallable: Cluster, user: User) -> None:
    """Given a canary, when it is deleted and then the chart, then nothing of both is left.

    The operator restores the route of the user. Halimede can be installed again over the CRD that
    is kept.
    """
    route = create_route(user)
    before = _objects(user)
    _serves_two_versions(user)
    assert len(_objects(user)) > len(before)

    user.kubectl("delete", "mdeploy", NAME, "--timeout=180s")
    _waits_for_objects(user, before)
    assert read_route(user) == route
    release.uninstall(uninstallable)
    _removes_namespace(user)
    chart.install(uninstallable)
    _serves_again(user)


def test_the_chart_is_deleted_before_the_models(uninstallable: Cluster, user: User) -> None:
    """Given a canary under load, when the chart is deleted, then both revisions keep serving.

    When the ModelDeployment is deleted after it, nothing of it is left. Halimede can be installed
    again after the CRD is deleted too.
    """
    create_route(user)
    before = _objects(user)
    _serves_two_versions(user)
    user.starts_load(RATE)
    route = read_route(user)

    release.uninstall(uninstallable)
    assert _finalizers(user) == []
    served = len(user.requests())
    user.waits_for_requests(MORE)
    user.load.stop()
    assert user.errors() == []
    assert {one.version for one in user.requests()[served:]} == {"v1", "v2"}
    assert read_route(user) == route

    user.kubectl("delete", "mdeploy", NAME, "--timeout=180s")
    _waits_for_objects(user, before)
    _removes_namespace(user)
    release.remove_the_rest(uninstallable)
    chart.install(uninstallable)
    _serves_again(user)


def _serves_two_versions(user: User) -> None:
    """Start a canary that stays at its weight."""
    user.asks_for("v1", **SPLIT)
    user.sees("v1 Ready", lambda seen: seen.ready)
    user.asks_for("v2", **SPLIT)
    user.sees("30 % for v2", _split)
    assert _finalizers(user) == [ROUTE_FINALIZER]


def _split(seen: Snapshot) -> bool:
    """Return whether the route has the canary's weight."""
    rollout = seen.status.rollout
    return rollout is not None and rollout.weight == 30 and rollout.weight_applied_at is not None


def _finalizers(user: User) -> list[str]:
    path = "jsonpath={.metadata.finalizers}"
    return list(json.loads(user.kubectl("get", "mdeploy", NAME, f"--output={path}") or "[]"))


def _objects(user: User) -> set[str]:
    """Return all objects in the namespace except Events, by kind and name."""
    listed = user.cluster.kubectl(
        "api-resources", "--namespaced", "--verbs=list,delete", "--output=name"
    )
    kinds = [kind for kind in listed.split() if not kind.startswith("events")]
    return set(user.kubectl("get", ",".join(kinds), "--output=name").split())


def _waits_for_objects(user: User, expected: set[str]) -> None:
    """Wait until the namespace has these objects and no others."""
    wait_until(lambda: _objects(user), lambda found: found == expected, explain=user.explain)


def _removes_namespace(user: User) -> None:
    user.cluster.kubectl("delete", "namespace", user.namespace, "--timeout=180s")


def _serves_again(user: User) -> None:
    """Serve v1 in a new namespace of the same name."""
    again = replace(user)
    again.serves("v1")
    again.watch.stop()
