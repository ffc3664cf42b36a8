"""Foreign objects that have the name of a child.

An object is ours if one of its owner references has the uid of the ModelDeployment. Any other
object is never written and never deleted, whatever its labels are. While one has the name of a
child, that child is missing.
"""

from collections.abc import Iterable, Sequence

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import KIND, ModelDeployment
from halimede.plan.status_limits import MAX_MESSAGE_LENGTH

NAME_TAKEN_REQUEUE_SECONDS = 15.0
"""Seconds until the next reconcile while a name is taken: most foreign objects are not watched."""

ChildKey = tuple[str, str]
"""The kind and the name of a child; the namespace is that of the ModelDeployment."""


def child_key(manifest: Manifest) -> ChildKey:
    """Return the kind and the name of an object."""
    return manifest["kind"], manifest["metadata"]["name"]


def is_owned_by(manifest: Manifest, uid: str) -> bool:
    """Whether an object has an owner reference with the uid of a ModelDeployment."""
    owners = manifest["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == uid for owner in owners)


def with_names(foreign: Iterable[Manifest], names: Iterable[ChildKey]) -> tuple[Manifest, ...]:
    """Return those of the foreign objects that have one of these names."""
    known = frozenset(names)
    return tuple(manifest for manifest in foreign if child_key(manifest) in known)


def describe(taken: Sequence[Manifest], md: ModelDeployment) -> str:
    """Describe whose the objects are that have names of children, and what to do.

    As many of them are named as a message of the status has room for.
    """
    cure = _cure(taken, md)
    text = _sentence([_owner(manifest, md) for manifest in taken], 0, cure)
    for shown in range(len(taken) - 1, 0, -1):
        if len(text) <= MAX_MESSAGE_LENGTH:
            break
        owners = [_owner(manifest, md) for manifest in taken[:shown]]
        text = _sentence(owners, len(taken) - shown, cure)
    return text


def is_leftover(manifest: Manifest, md: ModelDeployment) -> bool:
    """Whether an object belongs to a deleted ModelDeployment that had the same name.

    The garbage collector deletes such an object.
    """
    owners = manifest["metadata"].get("ownerReferences") or ()
    return any((owner["kind"], owner["name"]) == (KIND, md.metadata.name) for owner in owners)


def _sentence(owners: Sequence[str], others: int, cure: str) -> str:
    more = f", and {others} more" if others else ""
    return f"metadata.name: {', '.join(owners)}{more}; {cure}."


def _cure(taken: Sequence[Manifest], md: ModelDeployment) -> str:
    objects = "it" if len(taken) == 1 else "them"
    if all(is_leftover(manifest, md) for manifest in taken):
        return f"wait until the garbage collector has deleted {objects}"
    return f"delete or rename {objects}, or use another name for this ModelDeployment"


def _owner(manifest: Manifest, md: ModelDeployment) -> str:
    """Describe an object: its kind and name, and its owner or who created it."""
    named = " ".join(child_key(manifest))
    owners = manifest["metadata"].get("ownerReferences") or ()
    if is_leftover(manifest, md):
        return f"{named} belongs to a deleted {KIND} of this name"
    if owners:
        owner = next((one for one in owners if one.get("controller")), owners[0])
        return f"{named} belongs to {owner['kind']} {owner['name']}"
    creator = _creator(manifest)
    return f"{named} exists and has no owner" + (f" (created by {creator})" if creator else "")


def _creator(manifest: Manifest) -> str | None:
    """Return the field manager with the earliest write of the object; None if none is known."""
    entries = manifest["metadata"].get("managedFields") or ()
    written = [entry for entry in entries if entry.get("time") and not entry.get("subresource")]
    first = min(written, key=lambda entry: str(entry["time"]), default=None)
    return str(first["manager"]) if first else None
