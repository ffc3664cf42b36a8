"""Which lists of a Kubernetes object are really maps, and by which of their items' fields."""

from typing import Any

KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "imagePullSecrets": ("name",),
    "resourceClaims": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
}
"""By the list's field name. All other lists are one value: they are replaced as a whole."""


def key(field: str, item: Any) -> tuple[Any, ...] | None:
    """Tell an item of the list *field* from the others; None if the list is one value."""
    fields = KEYS.get(field)
    if fields is None or not isinstance(item, dict):
        return None
    return tuple(item.get(name) for name in fields)
