"""Detect other field managers of the fields that we apply, by `metadata.managedFields`."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from halimede.api.base import Manifest
from halimede.render.drift import is_up_to_date
from halimede.render.names import MANAGER
from halimede.rollout.facts import ForeignWrite

_Path = tuple[str, ...]


def foreign_write(live: Manifest, desired: Manifest) -> ForeignWrite | None:
    """Return the latest foreign write of the spec or an annotation that we apply.

    A field has a foreign write if it differs from the desired one and belongs to another field
    manager, and not to us, in `metadata.managedFields`. We still own a field whose change we have
    not written yet, and defaults of the API server have no owner. A removed field has no owner
    either: it is applied again, but does not count as a foreign write.

    The time is that of the API server, in whole seconds.
    """
    entries = live["metadata"].get("managedFields") or ()
    ours = [entry for entry in entries if entry.get("manager") == MANAGER]
    changed = [
        path
        for path in _changed_fields(live, desired)
        if not any(_owns(entry, path) for entry in ours)
    ]
    writes = (
        ForeignWrite(entry["manager"], datetime.fromisoformat(entry["time"]).timestamp())
        for entry in entries
        if entry.get("time") and any(_owns(entry, path) for path in changed)
    )
    return latest(writes)


def latest(writes: Iterable[ForeignWrite | None]) -> ForeignWrite | None:
    """Return the latest write; None if there is none."""
    present = (write for write in writes if write is not None)
    return max(present, key=lambda write: write.at, default=None)


def _changed_fields(live: Manifest, desired: Manifest) -> Iterator[_Path]:
    """Yield the fields of the spec and the annotations that differ from the desired ones."""
    for path in (("spec",), ("metadata", "annotations")):
        live_fields, desired_fields = _at(live, path), _at(desired, path)
        for name, value in desired_fields.items():
            if not is_up_to_date(live_fields, {name: value}):
                yield (*path, name)


def _at(manifest: Manifest, path: _Path) -> Manifest:
    for name in path:
        manifest = manifest.get(name) or {}
    return manifest


def _owns(entry: Manifest, path: _Path) -> bool:
    """Whether a field, or anything in it, belongs to the manager of *entry*."""
    fields = entry.get("fieldsV1") or {}
    for name in path:
        fields = fields.get(f"f:{name}")
        if fields is None:
            return False
    return True
