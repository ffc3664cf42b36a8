"""What is kept of an observed object, and how.

Users decide how large their objects are, and how many. An object in Python takes about five times
the memory of its JSON, and compressed JSON takes a third of that.
"""

import zlib
from collections.abc import Callable

import orjson

from halimede.adapters.kinds import CHILDREN, MANAGED_BY, MODEL_DEPLOYMENT, REFERENCED, Kind
from halimede.api.base import Manifest
from halimede.api.free_form import drop_oversized
from halimede.api.v1alpha1 import GROUP
from halimede.render.names import NAME_LABEL, REVISION_LABEL
from halimede.render.ownership import applied_by_us

IDENTITY = frozenset(
    {"name", "namespace", "uid", "resourceVersion", "ownerReferences", "deletionTimestamp"}
)
"""What is kept of the metadata of an object whose content is read by name."""
LABELS = frozenset({MANAGED_BY, NAME_LABEL, REVISION_LABEL})
"""What is kept of its labels."""
FASTEST = 1
"""The level of compression; higher ones take twice the time for a tenth less memory."""


def pack(manifest: Manifest) -> bytes:
    """Return the form in which an object is kept."""
    return zlib.compress(orjson.dumps(manifest), FASTEST)


def unpack(packed: bytes) -> Manifest:
    """Return the object that was packed."""
    manifest: Manifest = orjson.loads(zlib.decompress(packed))
    return manifest


def prepare(kind: Kind, manifest: Manifest) -> Manifest:
    """Add the kind, which items of lists lack, and drop the `managedFields` that are not used.

    All are used of the kinds that other clients write too, and of the other children only those of
    our server-side applies.
    """
    metadata = {**manifest["metadata"]}
    if not kind.tracks_managers:
        entries = metadata.pop("managedFields", None) or ()
        own_entries = [entry for entry in entries if kind in CHILDREN and applied_by_us(entry)]
        metadata |= {"managedFields": own_entries} if own_entries else {}
    identity = {"apiVersion": kind.api_version, "kind": kind.name}
    return {**manifest, **identity, "metadata": metadata}


def reduce(kind: Kind, manifest: Manifest) -> Manifest:
    """Prepare an object for the store, without what may be large and is not needed there.

    The content of the kinds in `REFERENCED` is read by name. A ModelDeployment loses fields that
    are too large to be valid, and all annotations of others: kubectl's has a copy of the object.
    """
    metadata = manifest["metadata"]
    if kind in REFERENCED:
        labels = _select(metadata.get("labels") or {}, LABELS.__contains__)
        identity = _select(metadata, IDENTITY.__contains__)
        return prepare(kind, {"metadata": identity | {"labels": labels}})
    if kind is MODEL_DEPLOYMENT:
        annotations = _select(metadata.get("annotations") or {}, _is_ours)
        metadata = _select(metadata, lambda field: field != "labels")
        manifest = manifest | {"metadata": metadata | {"annotations": annotations}}
        if "spec" in manifest:
            manifest |= {"spec": drop_oversized(manifest["spec"])}
    return prepare(kind, manifest)


def _select(fields: Manifest, is_kept: Callable[[str], bool]) -> Manifest:
    return {name: value for name, value in fields.items() if is_kept(name)}


def _is_ours(annotation: str) -> bool:
    return annotation.startswith(f"{GROUP}/")
