"""The user's own HTTPRoute under load: a canary uses it, and it is restored."""

import json

import pytest

from halimede.api.base import Manifest
from tests.e2e.own_route import EXPOSED, create_route, read_route
from tests.e2e.user import NAME, User
from tests.support.waiting import wait_until

ASKED = {
    "expose": EXPOSED,
    "rollout__canary": {"steps": [{"weight": 30, "minSeconds": 4}], "bakeSeconds": 4},
}

KEPT = "halimede.dev/test"
"""A finalizer that keeps the ModelDeployment and its children."""


def _finalizers(user: User) -> list[str]:
    manifest = json.loads(user.kubectl("get", "mdeploy", NAME, "--output", "json"))
    return list(manifest["metadata"].get("finalizers", ()))


def _patch_finalizers(user: User, operation: Manifest) -> None:
    user.kubectl("patch", "mdeploy", NAME, "--type=json", f"--patch={json.dumps([operation])}")


@pytest.mark.transition("object-deleted")
def test_a_canary_through_the_users_own_route_which_is_given_back(user: User) -> None:
    """Given v1 behind the user's route, v2 is promoted in it, and the route is restored.

    No request fails when the revisions are added to the route or removed from it.
    """
    before = create_route(user)
    user.asks_for("v1", expose={"type": "Service"}, rollout__analysis__provider="None")
    stable = user.sees("v1 Ready", lambda seen: seen.ready).stable
    user.starts_load()
    user.asks_for("v1", **ASKED)
    user.sees("v1 in the route", lambda seen: seen.ready and bool(seen.status.user_routes))
    wait_until(
        lambda: user.requests()[-1], lambda last: last.revision == stable, explain=user.explain
    )
    user.asks_for("v2", **ASKED)
    user.sees("v2 stable", lambda seen: seen.settled and seen.stable != stable)
    assert {one.version for one in user.requests()} == {"v1", "v2"}
    # Without the ModelDeployment the route leads nowhere, so it is kept until the load ends.
    _patch_finalizers(user, {"op": "add", "path": "/metadata/finalizers/-", "value": KEPT})
    user.kubectl("delete", "mdeploy", NAME, "--wait=false")
    wait_until(lambda: read_route(user), lambda spec: spec == before, explain=user.explain)
    wait_until(lambda: _finalizers(user), lambda left: left == [KEPT], explain=user.explain)
    user.waits_for_requests(100)
    user.load.stop()
    assert user.errors() == []
    _patch_finalizers(user, {"op": "remove", "path": "/metadata/finalizers"})
    user.kubectl("wait", "--for=delete", f"mdeploy/{NAME}", "--timeout=180s")
    assert read_route(user) == before
