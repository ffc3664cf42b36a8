"""Which fields of a live object no other client has changed since our last server-side apply.

The API server records the owners of every field in `metadata.managedFields`. A field that we apply
is ours until another request changes or removes it. The API server itself takes no ownership away
when it normalises a value, drops it because it is the default, or lets admission rewrite it. So a
field that differs from what we applied, and is still ours, is no drift.

The format is that of `FieldsV1` in `meta/v1`: `f:<name>` for a field, `k:<keys>` for an item of a
list of named items, and an empty map for a value that is owned as a whole.
"""

import json
from typing import Any

from halimede.api.base import Manifest
from halimede.render.env import RENDERED
from halimede.render.names import MANAGER

Entry = dict[str, Any]
"""An entry of `metadata.managedFields`."""


def applied_by_us(entry: Entry) -> bool:
    """Whether an entry of `metadata.managedFields` is from our server-side applies."""
    return entry.get("manager") == MANAGER and entry.get("operation") == "Apply"


def owned_fields(live: Manifest, desired: Manifest) -> Manifest | None:
    """Return the fields of *live* that are unchanged since *desired* was applied.

    None: something else was applied last, or `managedFields` is missing.
    """
    metadata = live["metadata"]
    if _digest(metadata) != _digest(desired["metadata"]):
        return None
    entries = metadata.get("managedFields") or ()
    fields = next((entry.get("fieldsV1") for entry in entries if applied_by_us(entry)), None)
    return fields or None


def child(owned: Manifest | None, name: str) -> Manifest | None:
    """Return what is owned of the field *name*; None: nothing."""
    fields: Manifest | None = (owned or {}).get(f"f:{name}")
    return fields


def item_of(owned: Manifest | None, item: Any) -> Manifest | None:
    """Return what is owned of an item of a list; None: nothing.

    A key that the item omits has its default, such as the protocol TCP of a port.
    """
    if not isinstance(item, dict):
        return None
    for name, fields in (owned or {}).items():
        if name.startswith("k:") and all(
            item.get(field, value) == value for field, value in json.loads(name[2:]).items()
        ):
            owned_item: Manifest = fields
            return owned_item
    return None


def _digest(metadata: Manifest) -> str | None:
    digest: str | None = (metadata.get("annotations") or {}).get(RENDERED)
    return digest
