"""Whether a live object matches the desired one, despite defaults and rewritten values."""

from decimal import Decimal
from typing import Any

from halimede.api.base import Manifest
from halimede.api.quantity import parse_quantity
from halimede.render.merge_keys import merge_key
from halimede.render.ownership import child, item_of

_AMOUNTS = ("limits", "requests")
_AMOUNT_FIELDS = ("sizeLimit", "averageValue")
_WHOLE = ("selector", "podSelector", "ingress", "egress")
"""Fields that the API server owns and replaces as a whole, and adds no default to: an addition
makes a Service or a NetworkPolicy apply to other pods, or opens a NetworkPolicy."""


def is_up_to_date(live: Any, desired: Any, owned: Manifest | None = None) -> bool:
    """Whether every field of *desired* is in *live* with an equal value.

    Additions of others to maps and to lists of named items are no drift; other lists must be equal
    item by item, and selectors and the rules of NetworkPolicies as a whole. Quantities are
    compared as numbers.

    Args:
        live: An object, or a part of one, as the API server stores it.
        desired: The same part as it was rendered.
        owned: The part's fields that no other manager has changed since our last apply of
            *desired* (see `halimede.render.ownership`). Their values may differ: the API server
            drops what is false, 0 or empty, normalises values, and lets admission rewrite them.

    >>> is_up_to_date({"spec": {"replicas": 2, "paused": False}}, {"spec": {"replicas": 2}})
    True
    >>> is_up_to_date({}, {"tty": False}), is_up_to_date({}, {"tty": False}, {"f:tty": {}})
    (False, True)
    """
    return _is_up_to_date(live, desired, "", owned, amount=False)


def _is_up_to_date(
    live: Any, desired: Any, field: str, owned: Manifest | None, *, amount: bool
) -> bool:
    if owned == {}:
        return True  # owned as a whole: no other manager has changed a part of it
    if live is None and owned is not None:
        live = type(desired)()  # admission has removed it
    if field in _WHOLE:
        return bool(live == desired)
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(
            _field_is_up_to_date(live, name, value, child(owned, name), amount=field in _AMOUNTS)
            for name, value in desired.items()
        )
    if isinstance(desired, list):
        return isinstance(live, list) and _list_is_up_to_date(live, desired, field, owned)
    if amount:
        return _number(live) == _number(desired)
    return type(live) is type(desired) and bool(live == desired)


def _field_is_up_to_date(
    live: dict[str, Any], name: str, desired: Any, owned: Manifest | None, *, amount: bool
) -> bool:
    if name not in live and owned is None:
        # The API server drops empty values, but an empty emptyDir sets the kind of volume.
        return desired in (None, "", [], {}) and name != "emptyDir"
    amount = amount or name in _AMOUNT_FIELDS
    return _is_up_to_date(live.get(name), desired, name, owned, amount=amount)


def _list_is_up_to_date(
    live: list[Any], desired: list[Any], field: str, owned: Manifest | None
) -> bool:
    if not (_have_unique_keys(live, field) and _have_unique_keys(desired, field)):
        return len(live) == len(desired) and all(
            _is_up_to_date(live_item, item, field, item_of(owned, item), amount=False)
            for live_item, item in zip(live, desired, strict=True)
        )
    by_key = {merge_key(field, item): item for item in live}
    return all(
        _is_up_to_date(
            by_key.get(merge_key(field, item)), item, field, item_of(owned, item), amount=False
        )
        for item in desired
    )


def _have_unique_keys(items: list[Any], field: str) -> bool:
    keys = [merge_key(field, item) for item in items]
    return all(keys) and len(set(map(str, keys))) == len(keys)


def _number(quantity: Any) -> Decimal | Any:
    """Return the value of a quantity, and anything else unchanged."""
    try:
        return parse_quantity(quantity)
    except ValueError:
        return quantity
