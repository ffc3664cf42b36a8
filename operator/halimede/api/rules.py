"""Rules of the schema in the Common Expression Language, written beside the fields they bind."""

from typing import Any


def rule(expression: str, message: str, field: str | None = None) -> dict[str, str]:
    """Write one rule.

    Args:
        expression: CEL that is true of a good object; `self` is the object. Where a whole object
            is optional, it must also be true of `{}`: defaults further in are not seen yet.
        message: What is wrong and what to do, for whoever applied the object.
        field: The field to blame, as `.name`; None: the object as a whole.
    """
    written = {"rule": expression, "message": message}
    return written if field is None else {**written, "fieldPath": field}


def rules(*all_of: dict[str, str]) -> dict[str, Any]:
    """Hand rules to the schema of a model, as its `json_schema_extra`."""
    return {"x-kubernetes-validations": list(all_of)}


def list_map(*keys: str) -> dict[str, Any]:
    """Tell the schema of a list that its items are told apart by some of their fields."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


LIST_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
"""Tells the schema of a list that no item comes twice."""

_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST = rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$"
"""A hostname, perhaps with `*` in place of its first label."""
