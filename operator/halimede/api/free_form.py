"""The fields whose content the schema does not limit, and their limits.

They accept every field of a pod template or an autoscaler, of whatever version of Kubernetes, so
the API server checks neither their size nor their depth.
"""

import json
from typing import Any

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP

MAX_BYTES = 64 * 1024
"""Maximum size of one of these fields as JSON."""
MAX_DEPTH = 40
"""Maximum number of levels in one of these fields; a pod template of Kubernetes 1.36 has 13."""
FREE_FORM: tuple[tuple[str, ...], ...] = (
    ("podTemplate",),
    ("autoscaling", "metrics"),
    ("autoscaling", "behavior"),
)
"""The paths of the fields within the spec."""
OVERSIZED = f"{GROUP}/oversized"
"""The key that replaces the content of a field that is too large; its value is the size."""


def drop_oversized(spec: Manifest) -> Manifest:
    """Return a spec whose free-form fields are small; one that is not only has its size.

    So an object of any size can be stored, and validation still reports what is wrong with it.
    """
    for path in FREE_FORM:
        value = find_field(spec, path)
        if value and (size := size_of(value)) > MAX_BYTES:
            marker = {OVERSIZED: size}
            spec = _replace(spec, path, [marker] if isinstance(value, list) else marker)
    return spec


def find_field(spec: Manifest, path: tuple[str, ...]) -> Any:
    """Return the value at *path*, or None."""
    value: Any = spec
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def size_of(value: Any) -> int:
    """Return the size of a free-form field as JSON, also of one that `drop_oversized` replaced.

    >>> size_of({"a": 1})
    7
    >>> size_of([{OVERSIZED: 70000}])
    70000
    """
    first = value[0] if isinstance(value, list | tuple) and value else value
    if isinstance(first, dict) and isinstance(first.get(OVERSIZED), int):
        return int(first[OVERSIZED])
    return len(json.dumps(value, separators=(",", ":")))


def is_deeper(value: Any, depth: int) -> bool:
    """Whether a value has more levels than *depth*.

    >>> is_deeper({"a": [1]}, 1), is_deeper({"a": [1]}, 2)
    (True, False)
    """
    level = [value]
    for _ in range(depth):
        level = [part for one in level for part in _parts(one)]
    return any(isinstance(part, dict | list | tuple) for part in level)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def _replace(spec: Manifest, path: tuple[str, ...], value: Any) -> Manifest:
    name, *rest = path
    return spec | {name: _replace(spec[name], tuple(rest), value) if rest else value}
