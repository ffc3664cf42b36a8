"""Random histories of the user's route: it is always restored at the end."""

import copy
from collections.abc import Callable
from itertools import count
from random import Random

import pytest

from halimede.api.base import Manifest
from halimede.render.user_route import annotation
from harness.fake_spec import GATEWAY
from tests.support.user_route import ROUTE_REF, RoutedCluster, user_route

ENTRY: Manifest = {"group": "", "kind": "Service", "name": "digits", "port": 8000, "weight": 1}
OTHER: Manifest = ENTRY | {"name": "old"}
BACKENDS = (
    (ENTRY,),
    (ENTRY | {"weight": 5}, OTHER),
    (OTHER,),
    (ENTRY | {"weight": 3}, ENTRY | {"port": 8001}),
)
VERBS = ("abort", "promote", "promote-full", "pause", "resume", "retry")


class History:
    """One random history, and the last state that the routes' owner wrote."""

    def __init__(self, seed: int) -> None:
        """Start with two routes, of which one is used."""
        self.chance = Random(seed)
        routes = {name: user_route(name) for name in ("shop", "new")}
        self.written = {name: copy.deepcopy(one["spec"]) for name, one in routes.items()}
        self.cluster = RoutedCluster(routes=routes)
        self.cluster.settle()
        self.models = 1
        self.tokens = count(1)

    def write(self, name: str) -> None:
        """Write the backends of a route as its owner, if it exists."""
        if name in self.cluster.routes:
            refs = copy.deepcopy(self.chance.choice(BACKENDS))
            self.cluster.write(name, self.chance.choice(("argocd", "kubectl")), *refs)
            self.written[name] = copy.deepcopy(self.cluster.routes[name]["spec"])

    def delete(self, name: str) -> None:
        """Delete a route."""
        self.cluster.routes.pop(name, None)

    def make(self, name: str) -> None:
        """Create a route, replacing one of the same name."""
        self.cluster.routes[name] = user_route(name)
        self.written[name] = copy.deepcopy(self.cluster.routes[name]["spec"])

    def refer(self, name: str) -> None:
        """Set `routeRef` to a route."""
        expose = copy.deepcopy(ROUTE_REF) | {"gateway": {"routeRef": {"name": name}}}
        self.cluster.edit(lambda spec: spec.update(expose=expose))

    def leave(self, _: str) -> None:
        """Set `expose` to a route of Halimede's own."""
        self.cluster.edit(lambda spec: spec.update(expose=copy.deepcopy(GATEWAY)))

    def ask(self, _: str) -> None:
        """Set another model."""
        self.models += 1
        self.cluster.model(self.models)

    def kill(self, _: str) -> None:
        """Kill the operator between each status and the writes that follow."""
        self.cluster.alive = False
        self.cluster.run(60)
        self.cluster.alive = True

    def command(self, _: str) -> None:
        """Give a random command."""
        self.cluster.command(f"{self.chance.choice(VERBS)}@{next(self.tokens)}")

    def go_on(self) -> None:
        """Run a random action, and let some time pass."""
        ways: tuple[Callable[[str], None], ...] = (
            self.write, self.delete, self.make, self.refer, self.leave,
            self.ask, self.ask, self.kill, self.command,
        )  # fmt: skip
        self.chance.choice(ways)(self.chance.choice(("shop", "new")))
        self.cluster.run(self.chance.choice((1, 5, 30, 120, 700)))


@pytest.mark.transition("foreign-write", "route-deleted", "object-deleted")
@pytest.mark.parametrize("seed", range(6))
def test_every_history_ends_with_routes_as_they_were_written(seed: int) -> None:
    """Given twenty random actions and a deletion, all routes are restored, and nothing remains.

    No write gives requests to a Service that it adds to a route.
    """
    history = History(seed)
    for _ in range(20):
        history.go_on()
    cluster = history.cluster
    cluster.delete().run(60)
    assert cluster.gone
    assert cluster.strangers == []
    assert not [event for event in cluster.events if "the token" in event.message]
    for name, route in cluster.routes.items():
        assert route["spec"] == history.written[name]
        assert annotation("digits") not in route["metadata"].get("annotations", {})
