"""Whether what leads clients to the revisions is live and accepted."""

from datetime import datetime

from halimede.api.base import Manifest
from halimede.reconcile.writers import foreign_write, latest
from halimede.render import names
from halimede.render.remembered import as_wanted
from halimede.rollout.facts import Route

ROUTES = frozenset({"HTTPRoute", "Ingress"})
"""The kinds of which only what is wanted may be live before anybody relies on the route."""
_NEEDED = ("Accepted", "ResolvedRefs")


def route(children: tuple[Manifest, ...], desired: tuple[Manifest, ...]) -> Route:
    """Compare the live objects with those that the status asks for.

    Services and Ingresses count as accepted once they are stored: nobody answers for them.
    """
    live = {_key(child): child for child in children}
    wanted = {_key(one) for one in desired}
    applied = all(as_wanted(live.get(_key(one)), one) for one in desired)
    stray = any(key not in wanted and key[0] in ROUTES for key in live)
    answers = [
        answer(found)
        for one in desired
        if one["kind"] == "HTTPRoute" and not _shows(one) and (found := live.get(_key(one)))
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
            and not as_wanted(found, one)
        ),
    )


def answer(http_route: Manifest) -> Route:
    """Read what the gateways say of an HTTPRoute's present generation.

    Each of its parents must have answered, and each must have accepted it and resolved what it
    names. An answer to an older generation is none.
    """
    metadata = http_route["metadata"]
    since = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp()
    asked = http_route["spec"].get("parentRefs") or []
    told = (http_route.get("status") or {}).get("parents") or []
    silent, refusals, pending = [], [], False
    for parent in asked:
        answers = [one for one in told if _same_parent(parent, one.get("parentRef") or {})]
        if not answers:
            silent.append(parent["name"])
        for found in answers:
            present = _present(found, metadata.get("generation"))
            refusals += [
                f"Gateway {parent['name']}: {type_}: {one.get('reason')}: {one.get('message', '')}"
                for type_, one in present.items()
                if one["status"] != "True"
            ]
            pending = pending or len(present) < len(_NEEDED)
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


def _shows(http_route: Manifest) -> bool:
    """Whether it leads to a preview: users do not depend on what gateways say of that."""
    metadata = http_route["metadata"]
    owner = metadata.get("labels", {}).get(names.NAME_LABEL, metadata["name"])
    return bool(metadata["name"] != owner)


def _same_parent(asked: Manifest, told: Manifest) -> bool:
    """Whether an answer is about this parent; what the answer leaves out is not compared."""
    names = ("name", "namespace", "sectionName")
    return all(asked.get(name) in (None, told.get(name, asked.get(name))) for name in names)


def _key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]
