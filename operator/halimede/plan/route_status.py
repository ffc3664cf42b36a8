"""Whether what leads clients to the revisions is live and accepted."""

from collections import defaultdict
from datetime import datetime

from halimede.api.base import Manifest
from halimede.plan.field_managers import foreign_write, latest
from halimede.plan.renderer import is_current
from halimede.render import names
from halimede.rollout.facts import Route

ROUTES = frozenset({"HTTPRoute", "Ingress"})
"""The kinds of which only what is wanted may be live before anybody relies on the route."""
_NEEDED = ("Accepted", "ResolvedRefs")
_PARENT = {
    "group": "gateway.networking.k8s.io",
    "kind": "Gateway",
    "namespace": None,
    "name": None,
    "sectionName": None,
    "port": None,
}
"""The fields that tell parents apart, with what they mean where they are left out."""


def route_status(children: tuple[Manifest, ...], desired: tuple[Manifest, ...]) -> Route:
    """Compare the live objects with those that the status asks for.

    Services and Ingresses count as accepted once they are stored: nobody answers for them.
    """
    live = {_key(child): child for child in children}
    wanted = {_key(one) for one in desired}
    applied = all(is_current(live.get(_key(one)), one) for one in desired)
    stray = any(key not in wanted and key[0] in ROUTES for key in live)
    answers = [
        httproute_status(found)
        for one in desired
        if one["kind"] == "HTTPRoute" and not _is_preview(one) and (found := live.get(_key(one)))
    ]
    missing = any(one["kind"] in ROUTES and _key(one) not in live for one in desired)
    return Route(
        applied=applied and not stray,
        accepted=not missing and all(one.accepted for one in answers),
        refused=any(one.refused for one in answers),
        message=" ".join(one.message for one in answers if one.message),
        since=min((one.since for one in answers if one.since is not None), default=None),
        foreign_write=latest(
            foreign_write(found, one)
            for one in desired
            if one["kind"] in ROUTES
            and (found := live.get(_key(one)))
            and not is_current(found, one)
        ),
    )


def httproute_status(http_route: Manifest) -> Route:
    """Read what the gateways say of an HTTPRoute's present generation.

    Each of its parents must have been answered: a controller has accepted it there and resolved
    what it names, and none says no. Anything may add itself to `status.parents`
    (`RouteStatus` of the Gateway API): a controller that says neither, such as one of policies,
    has not answered, and neither has one that speaks of an older generation.
    """
    metadata = http_route["metadata"]
    since = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
    here = {"namespace": metadata.get("namespace")}
    asked = [here | one for one in http_route["spec"].get("parentRefs") or []]
    told = [
        one
        for one in (http_route.get("status") or {}).get("parents") or []
        if any(said["type"] in _NEEDED for said in one.get("conditions") or ())
    ]
    silent, refusals, pending = [], [], False
    for parent in asked:
        answers = [one for one in told if _same_parent(parent, one.get("parentRef") or {})]
        if not answers:
            silent.append(parent["name"])
            continue
        by_controller: defaultdict[str, list[dict[str, Manifest]]] = defaultdict(list)
        for found in answers:
            present = _present(found, metadata.get("generation"))
            by_controller[found.get("controllerName", "")].append(present)
            refusals += _refusals(parent["name"], present)
        pending = pending or not any(map(_agrees, by_controller.values()))
    refusals = list(dict.fromkeys(refusals))
    message = " ".join(refusals) or (
        f"No controller has answered for Gateway {', '.join(silent)}." if silent else ""
    )
    return Route(
        applied=True,
        accepted=bool(asked) and not (silent or refusals or pending),
        refused=bool(refusals),
        message=message,
        since=since,
    )


def _present(parent: Manifest, generation: int | None) -> dict[str, Manifest]:
    return {
        one["type"]: one
        for one in parent.get("conditions") or ()
        if one["type"] in _NEEDED and one.get("observedGeneration", generation) == generation
    }


def _refusals(gateway: str, present: dict[str, Manifest]) -> list[str]:
    return [
        f"Gateway {gateway}: {type_}: {one.get('reason')}: {one.get('message', '')}"
        for type_, one in present.items()
        if one["status"] == "False"
    ]


def _agrees(answers: list[dict[str, Manifest]]) -> bool:
    """Whether one controller has said yes to the present generation, at each listener."""
    return all(
        type_ in present and present[type_]["status"] == "True"
        for present in answers
        for type_ in _NEEDED
    )


def _is_preview(http_route: Manifest) -> bool:
    """Whether it leads to a preview: users do not depend on what gateways say of that."""
    metadata = http_route["metadata"]
    owner = metadata.get("labels", {}).get(names.NAME_LABEL, metadata["name"])
    return bool(metadata["name"] != owner)


def _same_parent(asked: Manifest, told: Manifest) -> bool:
    """Whether an answer is about this parent; what the answer leaves out is not compared."""
    return all(
        asked.get(field, default) in (None, told.get(field, asked.get(field, default)))
        for field, default in _PARENT.items()
    )


def _key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]
