"""Which lists of a Kubernetes object are maps, and which fields of their items are the key."""

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
"""By the list's field name. All other lists are atomic: they are replaced as a whole."""


def merge_key(field: str, item: Any) -> tuple[Any, ...] | None:
    """Return the key of an item of the list *field*; None if the list is atomic."""
    if field not in KEYS or not isinstance(item, dict):
        return None
    names = tuple(item.get(name) for name in KEYS[field])
    # Users' patches may hold anything; with a key that is not a scalar the list is atomic.
    return None if any(isinstance(name, (dict, list)) for name in names) else names
