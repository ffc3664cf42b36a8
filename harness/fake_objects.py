"""How the API server stores an object that is created or applied, and when it rejects it."""

import copy
from itertools import count

from halimede.api.base import Manifest, rfc3339
from harness.fake_behaviour import written_by

_VERSIONS = count(1)
_UIDS = count(1)


class NameConflictError(Exception):
    """There is an object of this name, or the object with this uid is gone."""


def stored(manifest: Manifest, live: Manifest | None, now: float, manager: str) -> Manifest:
    """Return the object that the API server stores for a write.

    Args:
        manifest: With `metadata.uid`, it is applied to the object with that uid; otherwise it is
            created.
        live: The object with this kind and name; None: there is none.
        now: The time of the write.
        manager: The field manager.

    Raises:
        NameConflictError: The object exists already, or it has another uid, or it is gone.
    """
    if manifest["metadata"].get("uid") != (live["metadata"]["uid"] if live else None):
        raise NameConflictError
    new, before = copy.deepcopy(manifest), live["metadata"] if live else {}
    new["metadata"] |= {
        "uid": before.get("uid") or f"uid-{next(_UIDS)}",
        "creationTimestamp": before.get("creationTimestamp") or rfc3339(now),
        "generation": before.get("generation", 0)
        + (live is None or live.get("spec") != new.get("spec")),
        "managedFields": [written_by(manager, now, *new.get("spec", ()))],
    }
    if live and "status" in live:
        new["status"] = live["status"]
    return with_new_version(new)


def with_new_version(manifest: Manifest) -> Manifest:
    """Give a written object a resource version that no other object has or had."""
    manifest["metadata"]["resourceVersion"] = str(next(_VERSIONS))
    return manifest


def metadata_of(manifest: Manifest) -> Manifest:
    """Return what a read of an object's metadata has."""
    return {"kind": manifest["kind"], "metadata": copy.deepcopy(manifest["metadata"])}
