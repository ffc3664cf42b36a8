"""Validation of a `podTemplate` patch. The API server checks the rest when it is applied."""

from collections.abc import Iterator
from typing import Any

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP
from halimede.render.arguments import ADMIN_KEY
from halimede.render.field_types import Rejection, mistyped
from halimede.render.merge import PATCH, merge
from halimede.render.merge_keys import KEYS

REQUIRED = {
    "containers": ("triton",),
    "initContainers": ("fetch",),
    "volumes": (
        *("model", "config", "source", "source-credentials", "halimede-cache", "tmp", "shm"),
    ),
}
"""What a patch may change but not remove: serving the model requires it."""
RESERVED = (f"{GROUP}/", "app.kubernetes.io/")
"""Prefixes of the names of labels by which Halimede finds its pods."""

_PATH = "spec.podTemplate"


def find_patch_violations(patch: Manifest) -> Iterator[Rejection]:
    """Yield what in a patch cannot be merged or stored, or would remove what is required."""
    structural = tuple(_structural_errors(patch, _PATH))
    yield from structural
    reported = {path for path, _, _ in structural}
    yield from (
        rejection
        for rejection in mistyped(patch, "V1PodTemplateSpec", _PATH)
        if rejection[0] not in reported
    )


def _structural_errors(patch: Manifest, path: str) -> Iterator[Rejection]:
    for name in patch:
        if name not in ("metadata", "spec"):
            yield f"{path}.{name}", "a pod template has no such field", "use metadata and spec"
    yield from _metadata(patch.get("metadata", {}), f"{path}.metadata")
    yield from _spec(patch.get("spec", {}), f"{path}.spec")


def _metadata(patch: Any, path: str) -> Iterator[Rejection]:
    if not isinstance(patch, dict):
        yield path, "must be a map", "add labels or annotations to it"
        return
    for name, value in patch.items():
        if name not in ("labels", "annotations"):
            yield f"{path}.{name}", "it is set by Halimede", "remove it"
        elif not isinstance(value, dict):
            yield f"{path}.{name}", "must be a map", "write one value per name"
    labels = patch.get("labels")
    for label in labels if isinstance(labels, dict) else ():
        if label == PATCH or label.startswith(RESERVED):
            yield f"{path}.labels", f"{label!r} is set by Halimede", "choose another name"


def _spec(patch: Any, path: str) -> Iterator[Rejection]:
    if not isinstance(patch, dict) or PATCH in patch:
        yield path, "must be a map of a pod's fields", "add the fields to change"
        return
    for field, names in REQUIRED.items():
        if field in patch:
            yield from _list(patch[field], names, f"{path}.{field}")
    yield from _admin_key(patch.get("containers"), f"{path}.containers")


def _list(patch: Any, required: tuple[str, ...], path: str) -> Iterator[Rejection]:
    if not isinstance(patch, list):
        yield path, "must be a list", "write a list of items with names"
        return
    (key,) = KEYS[path.rpartition(".")[2]]
    for number, item in enumerate(patch):
        here = f"{path}[{number}]"
        if not isinstance(item, dict) or not isinstance(item.get(key), str):
            yield here, f"must have a {key}", f"set {key} to the item to add or change"
        elif item[key] in required and PATCH in item:
            yield here, f"{item[key]!r} cannot be removed or replaced", f"remove {PATCH}"


def _admin_key(containers: Any, path: str) -> Iterator[Rejection]:
    """Yield a change of the key of Triton's administrative APIs.

    Without the variable its reference in the arguments is the key, which everyone knows.
    """
    for number, item in enumerate(containers if isinstance(containers, list) else ()):
        if not isinstance(item, dict) or item.get("name") != "triton" or "env" not in item:
            continue
        env = merge({"env": [ADMIN_KEY]}, {"env": item["env"]}).get("env", [])
        if isinstance(env, list) and ADMIN_KEY not in env:
            name = ADMIN_KEY["name"]
            yield (
                f"{path}[{number}].env",
                f"it must keep {name}, the key of Triton's administrative APIs",
                f"add variables with other names, and do not remove {name} or the whole list",
            )
