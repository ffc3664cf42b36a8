"""A fake cluster in which the user's own HTTPRoute leads to the model."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from halimede.api.base import Manifest, rfc3339
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.finalize import pending_deletion, plan_deletion
from halimede.plan.plan import Plan
from halimede.plan.user_routes import tracked_routes
from harness.fake_behaviour import accepted, written_by
from harness.fake_cluster import FakeCluster

ROUTE_REF = {"type": "Gateway", "gateway": {"routeRef": {"name": "shop"}}}


def user_route(name: str = "shop", *backends: Manifest) -> Manifest:
    """Return a user's HTTPRoute as the API server stores it."""
    refs = backends or (
        {"group": "", "kind": "Service", "name": "digits", "port": 8000, "weight": 1},
    )
    return {
        "kind": "HTTPRoute",
        "metadata": {
            "name": name,
            "namespace": "ml",
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": rfc3339(0),
        },
        "spec": {
            "parentRefs": [{"name": "public"}],
            "hostnames": ["shop.example.com"],
            "rules": [{"backendRefs": list(refs)}],
        },
    }


def patched(target: Manifest, operations: Sequence[Manifest]) -> None:
    """Apply a JSON patch with the operations that Halimede writes."""
    for operation in operations:
        *path, last = [part.replace("~1", "/") for part in operation["path"].split("/")[1:]]
        place: Any = target
        for part in path:
            place = place[int(part)] if isinstance(place, list) else place[part]
        match operation["op"]:
            case "test":
                assert place[last] == operation["value"]
            case "remove":
                del place[last]
            case _:
                place[last] = copy.deepcopy(operation["value"])


@dataclass
class RoutedCluster(FakeCluster):
    """A namespace with one ModelDeployment and the user's routes."""

    routes: dict[str, Manifest] = field(default_factory=lambda: {"shop": user_route()})
    finalizers: tuple[str, ...] = ()
    deleted_at: float | None = None
    patchable: bool = True
    """False: the API server rejects every patch of a route."""
    log: list[str] = field(default_factory=list)
    """Writes of finalizers and routes."""
    strangers: list[str] = field(default_factory=list)
    """Services that got requests in the same write that added them: proxies lose some."""

    def __post_init__(self) -> None:
        """Set `routeRef`."""
        self.spec["expose"] = copy.deepcopy(ROUTE_REF)

    @property
    def gone(self) -> bool:
        """Whether the object was deleted and nothing keeps it."""
        return self.deleted_at is not None and not self.finalizers

    def backends(self, name: str = "shop") -> dict[str, int]:
        """Return the weights in the first rule of a route; the entry Service only if above 0."""
        refs = self.routes[name]["spec"]["rules"][0]["backendRefs"]
        return {
            one["name"].removeprefix("digits-"): one["weight"]
            for one in refs
            if one["name"] != "digits" or one["weight"]
        }

    def write(self, name: str, manager: str, *refs: Manifest) -> None:
        """Write the backends of a route as another manager."""
        route = self.routes[name]
        route["spec"]["rules"][0]["backendRefs"] = list(refs)
        self._written(route, manager)
        self._drift += 1

    def delete(self) -> "RoutedCluster":
        """Delete the object."""
        self.deleted_at = self.now
        self._drift += 1
        return self

    @override
    def manifest(self) -> Manifest:
        manifest = super().manifest()
        manifest["metadata"]["finalizers"] = list(self.finalizers)
        if self.deleted_at is not None:
            manifest["metadata"]["deletionTimestamp"] = rfc3339(self.deleted_at)
        return manifest

    @override
    def users_routes(self, md: ModelDeployment) -> dict[str, Manifest | None]:
        return {route: self._live(route) for route in tracked_routes(md)}

    @override
    def reconcile(self) -> Plan:
        if self.deleted_at is None:
            return super().reconcile()
        gone = pending_deletion(self.manifest())
        if gone is None:
            return Plan(None, (), (), (), None)
        names = [one.name for one in gone.status.user_routes]
        return self.obey(plan_deletion(gone, {one: self._live(one) for one in names}, self.now))

    @override
    def execute(self, plan: Plan) -> None:
        super().execute(plan)
        if self._interrupted:
            return
        for patch in plan.patches if self.patchable else ():
            self.log.append(f"patch {patch.name}")
            before = _named(self.routes[patch.name])
            patched(self.routes[patch.name], patch.operations)
            self._written(self.routes[patch.name], "halimede")
            self.strangers += _named(self.routes[patch.name], served=True) - before
        if plan.finalizer is not None:
            self.log.append("finalizer on" if plan.finalizer else "finalizer off")
            self.finalizers = ("halimede.dev/route",) if plan.finalizer else ()

    @override
    def _controllers(self) -> None:
        super()._controllers()
        for route in self.routes.values() if self.gateway else ():
            route["status"] = {"parents": [accepted(route, {"name": "public"})]}

    @override
    def _news(self) -> object:
        answers = [one.get("status") for one in self.routes.values()]
        return super()._news(), copy.deepcopy(answers), sorted(self.routes)

    def _live(self, name: str) -> Manifest | None:
        return copy.deepcopy(self.routes.get(name))

    def _written(self, route: Manifest, manager: str) -> None:
        metadata = route["metadata"]
        metadata["generation"] += 1
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        metadata["managedFields"] = [written_by(manager, self.now, "rules")]
        self._note_weights(route)

    @override
    def _note_weights(self, route: Manifest) -> None:
        super()._note_weights(route)
        shares = self.weights[-1]
        if (entry := shares.pop("digits", 0)) > 0:
            selector = self.objects["Service", "digits"]["spec"]["selector"]
            selected = selector["halimede.dev/revision"]
            shares[selected] = shares.get(selected, 0) + (entry if len(shares) else 100)


def _named(route: Manifest, *, served: bool = False) -> set[str]:
    """Return the Services in a route; if *served*, only those with a weight."""
    return {
        ref["name"]
        for rule in route["spec"]["rules"]
        for ref in rule["backendRefs"]
        if ref["weight"] or not served
    }
