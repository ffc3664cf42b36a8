"""Helpers for schema extensions: validation rules in CEL, and list types."""

from typing import Any


def rule(expression: str, message: str, field: str | None = None) -> dict[str, str]:
    """Return one entry of `x-kubernetes-validations`.

    Args:
        expression: CEL that is true for a valid object, which is `self`. If the whole object is
            optional, it must also be true for `{}`: nested defaults are not applied yet.
        message: What is wrong and what to do, for the user who applied the object.
        field: The field that the error is about, as `.name`; None: the object as a whole.
    """
    written = {"rule": expression, "message": message}
    return written if field is None else {**written, "fieldPath": field}


def rules(*all_of: dict[str, str]) -> dict[str, Any]:
    """Return rules in the form of a model's `json_schema_extra`."""
    return {"x-kubernetes-validations": list(all_of)}


def list_map(*keys: str) -> dict[str, Any]:
    """Return the schema extension of a list whose items are identified by *keys*."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


LIST_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
"""The schema extension of a list without duplicates."""

_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST = rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$"
"""A hostname; its first label may be `*`."""
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
"""The name of an object (RFC 1123, `IsDNS1123Subdomain` of apimachinery)."""
