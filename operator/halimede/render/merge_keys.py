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


def merge_key(field: str, item: Any) -> tuple[Any, ...] | None:
    """Tell an item of the list *field* from the others; None if the list is one value."""
    if field not in KEYS or not isinstance(item, dict):
        return None
    names = tuple(item.get(name) for name in KEYS[field])
    # Users' patches may hold anything; what is no name can only be compared as a whole.
    return None if any(isinstance(name, (dict, list)) for name in names) else names
