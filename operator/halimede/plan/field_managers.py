"""Who else writes what we apply, by what the API server notes of every write."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from halimede.api.base import Manifest
from halimede.render.drift import is_up_to_date
from halimede.render.names import MANAGER
from halimede.rollout.facts import ForeignWrite

_Path = tuple[str, ...]


def foreign_write(live: Manifest, desired: Manifest) -> ForeignWrite | None:
    """Find out whether somebody else changed the spec or an annotation that we apply.

    That is so where a field differs from what we want and belongs to another field manager, and
    not to us, in `metadata.managedFields`. A change of ours that has yet to be written leaves the
    field in our hands, and what the API server fills in belongs to nobody. A field that is merely
    taken away belongs to nobody either: it comes back, but is not counted.

    The time is that of the API server, in whole seconds.
    """
    entries = live["metadata"].get("managedFields") or ()
    ours = [one for one in entries if one.get("manager") == MANAGER]
    lost = [path for path in _changed(live, desired) if not any(_owns(one, path) for one in ours)]
    writes = (
        ForeignWrite(one["manager"], datetime.fromisoformat(one["time"]).timestamp())
        for one in entries
        if one.get("time") and any(_owns(one, path) for path in lost)
    )
    return latest(writes)


def latest(writes: Iterable[ForeignWrite | None]) -> ForeignWrite | None:
    """Choose the write that came last, if there is any."""
    known = (one for one in writes if one is not None)
    return max(known, key=lambda one: one.at, default=None)


def _changed(live: Manifest, desired: Manifest) -> Iterator[_Path]:
    """List the fields that are not as wanted: those of the spec, and annotations one by one."""
    for path in (("spec",), ("metadata", "annotations")):
        found, wanted = _at(live, path), _at(desired, path)
        for name, value in wanted.items():
            if not is_up_to_date(found, {name: value}):
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
