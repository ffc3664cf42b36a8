"""A HTTPRoute of the user's, which names the entry Service: its share goes to the revisions.

A reference to the entry Service gets one per revision before it, which take its share. It stays
there without any, for proxies answer 503 while they get to know a Service that a route names anew:
so it can have everything again, at once, when the route is given back, and so the revisions are
named first and have their shares with a later write. Nothing else in the route is ours: not its
rules, not its other backends, of which only the weights may grow, all by the same factor, where
shares in percent ask for that.
"""

import json
import re
from copy import deepcopy
from math import gcd
from typing import Any

from halimede.api.base import Manifest, RevisionHash
from halimede.api.v1alpha1 import GROUP
from halimede.render.names import REVISION_HEADER, revision_name
from halimede.render.traffic import Backend

PORTS = (8000, 8001)
"""The entry Service's ports for HTTP and gRPC."""
MOST_WEIGHT = 1_000_000
"""Highest `weight` of a backend (Gateway API)."""
_ORIGINAL = f"{GROUP}/original-"
_FILTER, _MODIFIER = "ResponseHeaderModifier", "responseHeaderModifier"

Refs = list[Manifest]
"""The `backendRefs` of one rule."""


def annotation(name: str) -> str:
    """Name the annotation that keeps the backends as they were, as JSON, rule by rule.

    >>> annotation("digits")
    'halimede.dev/original-digits'
    """
    return _ORIGINAL + name


def unusable_reason(route: Manifest, name: str) -> tuple[str, str] | None:
    """Say why the ModelDeployment *name* cannot use the route, and what to do; None: it can."""
    mine = [(index, refs) for index, refs in _rules(route) if _ours(refs, name)]
    if not mine:
        return (
            f"no rule of it names the Service {name!r} with port 8000 or 8001 as a backend",
            "add such a backendRef to each rule that leads to the model",
        )
    owners = [
        one.removeprefix(_ORIGINAL) for one in _annotations(route) if one.startswith(_ORIGINAL)
    ]
    for index, refs in mine:
        for other in owners:
            if other != name and _ours(refs, other):
                return (
                    f"its rule {index} is in use by the ModelDeployment {other!r}",
                    "give each model a rule of its own",
                )
        if any(_weight(ref) > MOST_WEIGHT for ref in _shared_out(refs, name, _EVENLY)):
            return (
                f"the weights of its rule {index} are too large to be split into percent",
                f"lower them to {MOST_WEIGHT // 100} or less",
            )
    return None


def names_revision(route: Manifest, name: str) -> bool:
    """Whether the route names a revision, with a share or without."""
    return any(_names_revision(refs, name) for _, refs in _rules(route))


def awaiting_weights(route: Manifest, name: str) -> bool:
    """Whether a rule that names revisions has left the share to the entry Service."""
    return any(
        _names_revision(refs, name) and any(_is_entry(ref, name) and _weight(ref) for ref in refs)
        for _, refs in _rules(route)
    )


def with_revisions(route: Manifest, name: str, backends: tuple[Backend, ...]) -> Manifest:
    """Let the route lead to the revisions; a rule that names none of them names them first."""
    originals = _originals(route, name)
    changed = deepcopy(route)
    for index in originals:
        rule = changed["spec"]["rules"][index]
        refs = rule["backendRefs"]
        given = _names_revision(refs, name)
        rule["backendRefs"] = _shared_out(refs, name, backends, given=given)
    if originals:
        text = json.dumps(list(originals.values()), sort_keys=True, separators=(",", ":"))
        changed["metadata"].setdefault("annotations", {})[annotation(name)] = text
    return changed


def restored(route: Manifest, name: str) -> Manifest:
    """Let the route lead to the entry Service again, as its owner wrote it.

    A rule that its owner has edited meanwhile keeps the shares that it has now.
    """
    changed = deepcopy(route)
    for index, refs in _originals(route, name).items():
        changed["spec"]["rules"][index]["backendRefs"] = refs
    (changed["metadata"].get("annotations") or {}).pop(annotation(name), None)
    return changed


def json_patch(live: Manifest, wanted: Manifest, name: str) -> tuple[Manifest, ...]:
    """Write the JSON patch from one to the other; empty: they are the same.

    It fails where the route is not the version any more that was looked at: `rules` is one value
    to the API server, so an index is only good for the version that it was found in.
    """
    pairs = zip(_rules(live), _rules(wanted), strict=True)
    changes = [
        {"op": "replace", "path": f"/spec/rules/{index}/backendRefs", "value": after}
        for (index, before), (_, after) in pairs
        if before != after
    ]
    changes += _of_annotation(live, wanted, annotation(name))
    if not changes:
        return ()
    version = live["metadata"]["resourceVersion"]
    return ({"op": "test", "path": "/metadata/resourceVersion", "value": version}, *changes)


_EVENLY = (Backend(RevisionHash("0" * 8), 100),)


def _of_annotation(live: Manifest, wanted: Manifest, key: str) -> list[Manifest]:
    before, after = _annotations(live).get(key), _annotations(wanted).get(key)
    if before == after:
        return []
    if not _annotations(live):
        return [{"op": "add", "path": "/metadata/annotations", "value": {key: after}}]
    path = f"/metadata/annotations/{key.replace('/', '~1')}"
    if after is None:
        return [{"op": "remove", "path": path}]
    return [{"op": "add", "path": path, "value": after}]


def _annotations(route: Manifest) -> dict[str, str]:
    return route["metadata"].get("annotations") or {}


def _rules(route: Manifest) -> list[tuple[int, Refs]]:
    rules = route["spec"].get("rules") or []
    return [(index, rule.get("backendRefs") or []) for index, rule in enumerate(rules)]


def _is_entry(ref: Manifest, name: str) -> bool:
    return bool(_names_service(ref) and ref["name"] == name)


def _is_revision(ref: Manifest, name: str) -> bool:
    return bool(
        _names_service(ref) and re.fullmatch(re.escape(name) + "-[0-9a-f]{8}", ref["name"])
    )


def _names_revision(refs: Refs, name: str) -> bool:
    return any(_is_revision(ref, name) for ref in refs)


def _names_service(ref: Manifest) -> bool:
    """Whether it is a Service of the route's namespace, by a port that Triton serves."""
    return (
        not ref.get("group")
        and ref.get("kind", "Service") == "Service"
        and not ref.get("namespace")
        and ref.get("port") in PORTS
    )


def _ours(refs: Refs, name: str) -> bool:
    return any(_is_entry(ref, name) or _is_revision(ref, name) for ref in refs)


def _weight(ref: Manifest) -> int:
    return int(ref.get("weight", 1))


def _together(refs: Refs, name: str) -> Refs:
    """Write one reference to the entry Service for all to its revisions, with their weights."""
    whole: Refs = []
    entries: dict[int, Manifest] = {}
    for ref in refs:
        ours = _is_entry(ref, name) or _is_revision(ref, name)
        if ours and ref["port"] in entries:
            entries[ref["port"]]["weight"] += _weight(ref)
            continue
        copied = deepcopy(ref) | {"weight": _weight(ref)}
        whole.append(copied)
        if ours:
            entries[ref["port"]] = copied
            copied["name"] = name
            _set_filters(copied, _without_header(copied.get("filters") or []))
    return whole


def _shared_out(
    refs: Refs, name: str, backends: tuple[Backend, ...], *, given: bool = True
) -> Refs:
    whole = _together(refs, name)
    if len(whole) == 1:
        whole[0]["weight"] = min(whole[0]["weight"], 1) * 100
    shares = [ref["weight"] for ref in whole if _is_entry(ref, name)]
    factor = 100 // gcd(100, *shares)
    split: Refs = []
    for ref in whole:
        ref["weight"] *= factor
        split += _by_revision(ref, name, backends, given=given) if _is_entry(ref, name) else [ref]
    return split


def _by_revision(ref: Manifest, name: str, backends: tuple[Backend, ...], *, given: bool) -> Refs:
    split = []
    for backend in backends:
        copied = deepcopy(ref)
        copied["name"] = revision_name(name, backend.revision)
        copied["weight"] = ref["weight"] * backend.weight // 100 if given else 0
        copied["filters"] = _with_header(copied.get("filters") or [], backend.revision)
        split.append(copied)
    return [*split, ref | {"weight": 0} if given else ref]


def _with_header(filters: list[Manifest], revision: RevisionHash) -> list[Manifest]:
    """Have answers tell the revision; a filter of a type may stand there only once."""
    header = {"name": REVISION_HEADER, "value": revision}
    for one in filters:
        if one["type"] == _FILTER:
            one[_MODIFIER]["set"] = [*(one[_MODIFIER].get("set") or []), header]
            return filters
    return [*filters, {"type": _FILTER, _MODIFIER: {"set": [header]}}]


def _without_header(filters: list[Manifest]) -> list[Manifest]:
    kept = []
    for one in filters:
        modifier = one.get(_MODIFIER) or {}
        others = [pair for pair in modifier.get("set") or [] if pair["name"] != REVISION_HEADER]
        if one["type"] != _FILTER or others == modifier.get("set"):
            kept.append(one)
            continue
        rest = {field: value for field, value in modifier.items() if field != "set"}
        if others or rest:
            kept.append({**one, _MODIFIER: rest | ({"set": others} if others else {})})
    return kept


def _set_filters(ref: Manifest, filters: list[Manifest]) -> None:
    if filters:
        ref["filters"] = filters
    else:
        ref.pop("filters", None)


def _originals(route: Manifest, name: str) -> dict[int, Refs]:
    """Find how the owner of the route wrote the rules that are ours to change, by index."""
    known = _remembered(route, name)
    return {
        index: _original(refs, name, known) for index, refs in _rules(route) if _ours(refs, name)
    }


def _remembered(route: Manifest, name: str) -> list[Refs]:
    """Read what the annotation keeps; somebody may have spoilt it."""
    try:
        kept: Any = json.loads(_annotations(route).get(annotation(name), "[]"))
        for refs in kept:
            _together(refs, name)
    except (ValueError, TypeError, AttributeError, KeyError):
        return []
    return list(kept)


def _original(refs: Refs, name: str, known: list[Refs]) -> Refs:
    """Find how a rule was written: as it stands, as it is remembered, or by its shares.

    What is remembered is for one rule, and is taken out of *known*.
    """
    if not _names_revision(refs, name):
        return refs
    whole = _together(refs, name)
    for original in known:
        if _same_shares(whole, _together(original, name)):
            known.remove(original)
            return original
    divisor = gcd(*(ref["weight"] for ref in whole)) or 1
    return [ref | {"weight": ref["weight"] // divisor} for ref in whole]


def _same_shares(refs: Refs, others: Refs) -> bool:
    total, total_of_others = sum(map(_weight, refs)), sum(map(_weight, others))
    return len(refs) == len(others) and all(
        one | {"weight": 0} == other | {"weight": 0}
        and one["weight"] * total_of_others == other["weight"] * total
        for one, other in zip(refs, others, strict=True)
    )
