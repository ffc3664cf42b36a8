"""A user's HTTPRoute that names the entry Service: its weight is split between the revisions.

One reference per revision is inserted before a reference to the entry Service and takes over its
weight. The reference to the entry Service stays, with weight 0: proxies answer 503 while they load
a Service that is new in a route, so the entry Service must be there to get all requests again when
the route is restored. For the same reason the revisions are named first and get their weights with
a later write. When the route is restored, they stay with weight 0 for a while: a proxy may end the
requests to a Service that leaves the route. Nothing else in the route is changed: not its rules,
and of its other backends only the weights, all by the same factor, if the split in percent
requires it.
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
    """Return the name of the annotation with the original backends, as JSON, rule by rule.

    >>> annotation("digits")
    'halimede.dev/original-digits'
    """
    return _ORIGINAL + name


def unusable_reason(route: Manifest, name: str) -> tuple[str, str] | None:
    """Return why the ModelDeployment *name* cannot use the route and what to do; None: it can."""
    mine = [(index, refs) for index, refs in _rules(route) if _has_own_reference(refs, name)]
    if not mine:
        return (
            f"no rule has the Service {name!r} with port 8000 or 8001 as a backend",
            "add such a backendRef to each rule for the model",
        )
    owners = [
        key.removeprefix(_ORIGINAL) for key in _annotations(route) if key.startswith(_ORIGINAL)
    ]
    for index, refs in mine:
        for other in owners:
            if other != name and _has_own_reference(refs, other):
                return (
                    f"rule {index} is in use by the ModelDeployment {other!r}",
                    "use a separate rule for each model",
                )
        if any(_weight(ref) > MOST_WEIGHT for ref in _split_weights(refs, name, _UNSPLIT)):
            return (
                f"the weights of rule {index} are too large to be split into percentages",
                f"lower them to {MOST_WEIGHT // 100} or less",
            )
    return None


def names_revision(route: Manifest, name: str) -> bool:
    """Whether the route names a revision, with or without a weight."""
    return any(_names_revision(refs, name) for _, refs in _rules(route))


def awaiting_weights(route: Manifest, name: str) -> bool:
    """Whether a rule that names revisions still gives its weight to the entry Service."""
    return any(
        _names_revision(refs, name) and any(_is_entry(ref, name) and _weight(ref) for ref in refs)
        for _, refs in _rules(route)
    )


def with_revisions(route: Manifest, name: str, backends: tuple[Backend, ...]) -> Manifest:
    """Return the route with the revisions' weights; a rule without revisions gets them at 0."""
    originals = _originals(route, name)
    changed = deepcopy(route)
    for index in originals:
        rule = changed["spec"]["rules"][index]
        refs = rule["backendRefs"]
        weighted = _names_revision(refs, name)
        rule["backendRefs"] = _split_weights(refs, name, backends, weighted=weighted)
    if originals:
        text = json.dumps(list(originals.values()), sort_keys=True, separators=(",", ":"))
        changed["metadata"].setdefault("annotations", {})[annotation(name)] = text
    return changed


def without_weights(route: Manifest, name: str) -> Manifest:
    """Return the route with all weight at the entry Service, and the revisions at 0."""
    changed = deepcopy(route)
    for index, refs in _rules(route):
        if _names_revision(refs, name):
            named = dict.fromkeys(ref["name"] for ref in refs if _is_revision(ref, name))
            idle = tuple(Backend(RevisionHash(one.removeprefix(f"{name}-")), 0) for one in named)
            split = _split_weights(refs, name, idle, weighted=False)
            changed["spec"]["rules"][index]["backendRefs"] = split
    return changed


def restored(route: Manifest, name: str) -> Manifest:
    """Return the route as its owner wrote it, with the entry Service as the backend.

    A rule that its owner has edited meanwhile keeps its present proportions.
    """
    changed = deepcopy(route)
    for index, refs in _originals(route, name).items():
        changed["spec"]["rules"][index]["backendRefs"] = refs
    (changed["metadata"].get("annotations") or {}).pop(annotation(name), None)
    return changed


def json_patch(live: Manifest, desired: Manifest, name: str) -> tuple[Manifest, ...]:
    """Return the JSON patch from *live* to *desired*; empty: they are equal.

    It fails if the route has changed since it was read: `rules` is an atomic list, so an index is
    only valid for the version that it was read from.
    """
    pairs = zip(_rules(live), _rules(desired), strict=True)
    changes = [
        {"op": "replace", "path": f"/spec/rules/{index}/backendRefs", "value": after}
        for (index, before), (_, after) in pairs
        if before != after
    ]
    changes += _annotation_patch(live, desired, annotation(name))
    if not changes:
        return ()
    version = live["metadata"]["resourceVersion"]
    return ({"op": "test", "path": "/metadata/resourceVersion", "value": version}, *changes)


_UNSPLIT = (Backend(RevisionHash("0" * 8), 100),)


def _annotation_patch(live: Manifest, desired: Manifest, key: str) -> list[Manifest]:
    before, after = _annotations(live).get(key), _annotations(desired).get(key)
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
    """Whether it is a Service in the route's namespace, with a port that Triton serves."""
    return (
        not ref.get("group")
        and ref.get("kind", "Service") == "Service"
        and not ref.get("namespace")
        and ref.get("port") in PORTS
    )


def _has_own_reference(refs: Refs, name: str) -> bool:
    return any(_is_entry(ref, name) or _is_revision(ref, name) for ref in refs)


def _weight(ref: Manifest) -> int:
    return int(ref.get("weight", 1))


def _merge_revisions(refs: Refs, name: str) -> Refs:
    """Replace the references to revisions by one to the entry Service per port, with their sum."""
    merged: Refs = []
    entries: dict[int, Manifest] = {}
    for ref in refs:
        ours = _is_entry(ref, name) or _is_revision(ref, name)
        if ours and ref["port"] in entries:
            entries[ref["port"]]["weight"] += _weight(ref)
            continue
        copied = deepcopy(ref) | {"weight": _weight(ref)}
        merged.append(copied)
        if ours:
            entries[ref["port"]] = copied
            copied["name"] = name
            _set_filters(copied, _without_header(copied.get("filters") or []))
    return merged


def _split_weights(
    refs: Refs, name: str, backends: tuple[Backend, ...], *, weighted: bool = True
) -> Refs:
    merged = _merge_revisions(refs, name)
    if len(merged) == 1:
        merged[0]["weight"] = min(merged[0]["weight"], 1) * 100
    weights = [ref["weight"] for ref in merged if _is_entry(ref, name)]
    factor = 100 // gcd(100, *weights)
    split: Refs = []
    for ref in merged:
        ref["weight"] *= factor
        split += (
            _split_reference(ref, name, backends, weighted=weighted)
            if _is_entry(ref, name)
            else [ref]
        )
    return split


def _split_reference(
    ref: Manifest, name: str, backends: tuple[Backend, ...], *, weighted: bool
) -> Refs:
    split = []
    for backend in backends:
        copied = deepcopy(ref)
        copied["name"] = revision_name(name, backend.revision)
        copied["weight"] = ref["weight"] * backend.weight // 100 if weighted else 0
        copied["filters"] = _with_header(copied.get("filters") or [], backend.revision)
        split.append(copied)
    return [*split, ref | {"weight": 0} if weighted else ref]


def _with_header(filters: list[Manifest], revision: RevisionHash) -> list[Manifest]:
    """Add a filter that sets the revision's header; each type of filter may occur only once."""
    header = {"name": REVISION_HEADER, "value": revision}
    for item in filters:
        if item["type"] == _FILTER:
            item[_MODIFIER]["set"] = [*(item[_MODIFIER].get("set") or []), header]
            return filters
    return [*filters, {"type": _FILTER, _MODIFIER: {"set": [header]}}]


def _without_header(filters: list[Manifest]) -> list[Manifest]:
    kept = []
    for item in filters:
        modifier = item.get(_MODIFIER) or {}
        others = [pair for pair in modifier.get("set") or [] if pair["name"] != REVISION_HEADER]
        if item["type"] != _FILTER or others == modifier.get("set"):
            kept.append(item)
            continue
        rest = {field: value for field, value in modifier.items() if field != "set"}
        if others or rest:
            kept.append({**item, _MODIFIER: rest | ({"set": others} if others else {})})
    return kept


def _set_filters(ref: Manifest, filters: list[Manifest]) -> None:
    if filters:
        ref["filters"] = filters
    else:
        ref.pop("filters", None)


def _originals(route: Manifest, name: str) -> dict[int, Refs]:
    """Return how the route's owner wrote the rules that are ours to change, by index."""
    recorded = _recorded_originals(route, name)
    return {
        index: _original(refs, name, recorded)
        for index, refs in _rules(route)
        if _has_own_reference(refs, name)
    }


def _recorded_originals(route: Manifest, name: str) -> list[Refs]:
    """Read the annotation; empty if it is invalid, as a user may have edited it."""
    try:
        recorded: Any = json.loads(_annotations(route).get(annotation(name), "[]"))
        for refs in recorded:
            _merge_revisions(refs, name)
    except (ValueError, TypeError, AttributeError, KeyError):
        return []
    return list(recorded)


def _original(refs: Refs, name: str, recorded: list[Refs]) -> Refs:
    """Return how a rule was written: as it is, as it was recorded, or derived from its weights.

    Each recorded rule is used once and then removed from *recorded*.
    """
    if not _names_revision(refs, name):
        return refs
    merged = _merge_revisions(refs, name)
    for original in recorded:
        if _same_proportions(merged, _merge_revisions(original, name)):
            recorded.remove(original)
            return original
    divisor = gcd(*(ref["weight"] for ref in merged)) or 1
    return [ref | {"weight": ref["weight"] // divisor} for ref in merged]


def _same_proportions(refs: Refs, others: Refs) -> bool:
    total, total_of_others = sum(map(_weight, refs)), sum(map(_weight, others))
    return len(refs) == len(others) and all(
        ref | {"weight": 0} == other | {"weight": 0}
        and ref["weight"] * total_of_others == other["weight"] * total
        for ref, other in zip(refs, others, strict=True)
    )
