"""Which fields of a live object are still as our last server-side apply left them.

The API server notes the owners of every field in `metadata.managedFields`. A field that we apply
is ours until another request changes or removes it; that the API server itself writes a value in
another form, drops it because it is the default, or lets admission rewrite it takes no ownership
away. So a field that differs from what we applied, and is ours, was changed by nobody.

The form is that of `FieldsV1` in `meta/v1`: `f:<name>` for a field, `k:<keys>` for an item of a
list of named things, and an empty map for a value that is owned as a whole.
"""

import json
from typing import Any

from halimede.api.base import Manifest
from halimede.render.env import RENDERED
from halimede.render.names import MANAGER

Entry = dict[str, Any]
"""An entry of `metadata.managedFields`."""


def applied_by_us(entry: Entry) -> bool:
    """Whether an entry of `metadata.managedFields` is that of our server-side applies."""
    return entry.get("manager") == MANAGER and entry.get("operation") == "Apply"


def owned_fields(live: Manifest, desired: Manifest) -> Manifest | None:
    """Find the fields of *live* that are still as the apply of *desired* left them.

    None: something else was applied last, or nothing is known of who wrote what.
    """
    metadata = live["metadata"]
    if _digest(metadata) != _digest(desired["metadata"]):
        return None
    entries = metadata.get("managedFields") or ()
    fields = next((one.get("fieldsV1") for one in entries if applied_by_us(one)), None)
    return fields or None


def child(owned: Manifest | None, name: str) -> Manifest | None:
    """Find what is owned of the field *name*; None: nothing."""
    found: Manifest | None = (owned or {}).get(f"f:{name}")
    return found


def item_of(owned: Manifest | None, item: Any) -> Manifest | None:
    """Find what is owned of an item of a list; None: nothing.

    A key that the item leaves out has its default, such as the protocol TCP of a port.
    """
    if not isinstance(item, dict):
        return None
    for name, fields in (owned or {}).items():
        if name.startswith("k:") and all(
            item.get(field, value) == value for field, value in json.loads(name[2:]).items()
        ):
            found: Manifest = fields
            return found
    return None


def _digest(metadata: Manifest) -> str | None:
    digest: str | None = (metadata.get("annotations") or {}).get(RENDERED)
    return digest
