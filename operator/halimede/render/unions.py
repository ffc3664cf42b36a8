"""The unions of a pod: groups of fields of which only one may be set."""

from collections.abc import Mapping
from typing import Any

from halimede.api.base import Manifest

_HANDLERS = frozenset({"exec", "httpGet", "tcpSocket", "sleep"})
_CHECKS = frozenset({"exec", "httpGet", "tcpSocket", "grpc"})
_KEYS = frozenset(
    {"configMapKeyRef", "secretKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef"}
)
_UNIONS: Mapping[str, frozenset[str]] = {
    "preStop": _HANDLERS,
    "postStart": _HANDLERS,
    "startupProbe": _CHECKS,
    "livenessProbe": _CHECKS,
    "readinessProbe": _CHECKS,
    "env": frozenset({"value", "valueFrom"}),
    "valueFrom": _KEYS,
    "resourceClaims": frozenset({"resourceClaimName", "resourceClaimTemplateName"}),
}
"""The members by the name of the field, or of the list, that has the union (`core/v1`)."""


def members(field: str, value: Manifest) -> frozenset[str]:
    """Return the members of a union that are set in *value*, the value of the field *field*.

    In a volume everything but the name is a member: there are some thirty, and some are new.

    >>> sorted(members("preStop", {"exec": {}, "sleep": None}))
    ['exec']
    """
    present = frozenset(name for name, member in value.items() if member is not None)
    if field == "volumes":
        return present - {"name", "$patch"}
    return present & _UNIONS.get(field, frozenset())


def displaced(field: str, base: Any, patch: Manifest) -> Manifest:
    """Return *base* without the members of a union that a member in *patch* replaces.

    >>> displaced("preStop", {"sleep": {"seconds": 5}}, {"exec": {"command": ["true"]}})
    {}
    >>> displaced("livenessProbe", {"httpGet": {}, "periodSeconds": 5}, {"periodSeconds": 9})
    {'httpGet': {}, 'periodSeconds': 5}
    """
    chosen = members(field, patch)
    if not chosen:
        return dict(base)
    replaced = members(field, base) - chosen
    return {name: value for name, value in base.items() if name not in replaced}
