"""Compute whether the Services and routes are live and accepted."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from halimede.api.base import Manifest
from halimede.judge.reading import BackendPosition
from halimede.plan.field_managers import foreign_write, latest
from halimede.plan.foreign import child_key
from halimede.plan.renderer import Renderer
from halimede.plan.write_order import ROUTES
from halimede.render import names
from halimede.rollout.facts import Route

_NEEDED = ("Accepted", "ResolvedRefs")
_PARENT = {
    "group": "gateway.networking.k8s.io",
    "kind": "Gateway",
    "namespace": None,
    "name": None,
    "sectionName": None,
    "port": None,
}
"""The fields that identify a parent, with their defaults."""


def route_status(
    renderer: Renderer, children: tuple[Manifest, ...], desired: tuple[Manifest, ...]
) -> Route:
    """Compare the live objects with those that the status desires.

    Services and Ingresses count as accepted once they are stored: no controller reports on them.
    """
    live = {child_key(child): child for child in children}
    desired_keys = {child_key(manifest) for manifest in desired}
    applied = all(
        renderer.is_current(live.get(child_key(manifest)), manifest) for manifest in desired
    )
    stray = any(key not in desired_keys and key[0] in ROUTES for key in live)
    answers = [
        httproute_status(child)
        for manifest in desired
        if manifest["kind"] == "HTTPRoute"
        and not _is_preview(manifest)
        and (child := live.get(child_key(manifest)))
    ]
    missing = any(
        manifest["kind"] in ROUTES and child_key(manifest) not in live for manifest in desired
    )
    return Route(
        applied=applied and not stray,
        accepted=not missing and all(answer.accepted for answer in answers),
        rejected=any(answer.rejected for answer in answers),
        message=" ".join(answer.message for answer in answers if answer.message),
        since=min((answer.since for answer in answers if answer.since is not None), default=None),
        foreign_write=latest(
            foreign_write(child, manifest)
            for manifest in desired
            if manifest["kind"] in ROUTES
            and (child := live.get(child_key(manifest)))
            and not renderer.is_current(child, manifest)
        ),
    )


def httproute_status(http_route: Manifest) -> Route:
    """Compute whether the gateways accept the current generation of an HTTPRoute.

    For each of its parents, a controller must have set `Accepted` and `ResolvedRefs` to True, and
    none may have set one to False. Any controller may add an entry to `status.parents`
    (`RouteStatus` of the Gateway API): an entry without these conditions, such as one of a policy
    controller, or with an older generation, does not count.
    """
    metadata = http_route["metadata"]
    since = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
    defaults = {"namespace": metadata.get("namespace")}
    parents = [defaults | entry for entry in http_route["spec"].get("parentRefs") or []]
    answered = [
        entry
        for entry in (http_route.get("status") or {}).get("parents") or []
        if any(condition["type"] in _NEEDED for condition in entry.get("conditions") or ())
    ]
    silent, rejections, pending = [], [], False
    for parent in parents:
        answers = [
            entry for entry in answered if _same_parent(parent, entry.get("parentRef") or {})
        ]
        if not answers:
            silent.append(parent["name"])
            continue
        by_controller: defaultdict[str, list[dict[str, Manifest]]] = defaultdict(list)
        for answer in answers:
            conditions = _current_conditions(answer, metadata.get("generation"))
            by_controller[answer.get("controllerName", "")].append(conditions)
            rejections += _rejections(parent["name"], conditions)
        pending = pending or not any(map(_accepts, by_controller.values()))
    rejections = list(dict.fromkeys(rejections))
    message = " ".join(rejections) or (
        f"No controller has responded for Gateway {', '.join(silent)}." if silent else ""
    )
    return Route(
        applied=True,
        accepted=bool(parents) and not (silent or rejections or pending),
        rejected=bool(rejections),
        message=message,
        since=since,
    )


def backend_positions(
    traffic_objects: tuple[Manifest, ...], name: str
) -> tuple[BackendPosition, ...]:
    """List the backends of HTTPRoutes that are Services of revisions of *name*.

    Some routers name their series only by the position of a backend in its route.
    """
    routes = (manifest for manifest in traffic_objects if manifest["kind"] == "HTTPRoute")
    return tuple(position for route in routes for position in _route_positions(route, name))


def _current_conditions(parent: Manifest, generation: int | None) -> dict[str, Manifest]:
    return {
        condition["type"]: condition
        for condition in parent.get("conditions") or ()
        if condition["type"] in _NEEDED
        and condition.get("observedGeneration", generation) == generation
    }


def _rejections(gateway: str, conditions: dict[str, Manifest]) -> list[str]:
    return [
        f"Gateway {gateway}: {type_}: {condition.get('reason')}: {condition.get('message', '')}"
        for type_, condition in conditions.items()
        if condition["status"] == "False"
    ]


def _accepts(answers: list[dict[str, Manifest]]) -> bool:
    """Whether one controller has accepted the current generation, at each listener."""
    return all(
        type_ in present and present[type_]["status"] == "True"
        for present in answers
        for type_ in _NEEDED
    )


def _is_preview(http_route: Manifest) -> bool:
    """Whether the route is that of a preview, which users do not depend on."""
    metadata = http_route["metadata"]
    owner = metadata.get("labels", {}).get(names.NAME_LABEL, metadata["name"])
    return bool(metadata["name"] != owner)


def _same_parent(desired: Manifest, reported: Manifest) -> bool:
    """Whether *reported* refers to the parent *desired*; fields absent in *reported* match."""
    return all(
        desired.get(field, default) in (None, reported.get(field, desired.get(field, default)))
        for field, default in _PARENT.items()
    )


def _route_positions(http_route: Manifest, name: str) -> Iterator[BackendPosition]:
    metadata = http_route["metadata"]
    route, prefix = f"{metadata['namespace']}/{metadata['name']}", f"{name}-"
    for rule_index, rule in enumerate(http_route["spec"].get("rules") or ()):
        for index, backend in enumerate(rule.get("backendRefs") or ()):
            if backend["name"].startswith(prefix):
                revision = backend["name"].removeprefix(prefix)
                yield BackendPosition(route, rule_index, index, revision, backend["port"])
