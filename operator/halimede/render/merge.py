"""Strategic merge of the user's `podTemplate` into the rendered one."""

from typing import Any

from halimede.api.base import Manifest
from halimede.render.merge_keys import merge_key
from halimede.render.unions import displaced

PATCH = "$patch"
"""Directive of strategic merge patches: `replace` a map, or `delete` an item of a list."""


def merge(base: Manifest, patch: Manifest) -> Manifest:
    """Merge *patch* into *base*, as `kubectl patch --type=strategic` does.

    Maps merge, lists of named items merge by name, other lists are replaced, null removes. Where
    only one of several fields may be set, the patch's field replaces that of *base*: a client-side
    `kubectl apply` drops the null that would remove it.

    >>> merge({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    if patch.get(PATCH) == "replace":
        return {name: value for name, value in patch.items() if name != PATCH}
    merged = dict(base)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _value(name, merged.get(name), value)
    return merged


def _value(field: str, base: Any, patch: Any) -> Any:
    if isinstance(patch, dict):
        return merge(displaced(field, base if isinstance(base, dict) else {}, patch), patch)
    if isinstance(patch, list) and patch and all(merge_key(field, item) for item in patch):
        return _list(field, base if isinstance(base, list) else [], patch)
    return patch


def _list(field: str, base: list[Manifest], patch: list[Manifest]) -> list[Manifest]:
    merged = {merge_key(field, item): item for item in base}
    for item in patch:
        name = merge_key(field, item)
        if item.get(PATCH) == "delete":
            merged.pop(name, None)
        else:
            merged[name] = merge(displaced(field, merged.get(name, {}), item), item)
    return list(merged.values())
