"""What we know of the cluster without asking: every object that our watches have shown.

The watches feed it, and so do the answers to our own writes: a pass that follows a write sees it
even before its event arrives. Of two versions of an object the one with the higher
`resourceVersion` is kept (Kubernetes declares them comparable since 1.35; before, etcd's revision
made them so).
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from typing_extensions import override

from halimede.adapters.kinds import CHILDREN, MODEL_DEPLOYMENT, WATCHED, Kind
from halimede.api.base import Manifest
from halimede.render.env import canonical
from halimede.render.names import NAME_LABEL
from halimede.render.ownership import applied_by_us

FIELD_SETS = 256
"""How many different sets of fields that are ours are shared among the objects that have them."""


class Key(NamedTuple):
    """Which object of a kind; mostly, which ModelDeployment."""

    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        """Write `namespace/name`, as kubectl and the logs of controllers do."""
        return f"{self.namespace}/{self.name}"


class Listing(NamedTuple):
    """What a LIST says of one kind, without the bodies."""

    versions: Mapping[str, tuple[Key, int]]
    """By uid: where the object is, and its resourceVersion."""
    version: int
    """The resourceVersion of the list itself."""


def version_of(manifest: Manifest) -> int:
    """Read the resourceVersion as a number."""
    return int(manifest["metadata"].get("resourceVersion") or 0)


def owner_key(kind: Kind, manifest: Manifest) -> Key | None:
    """Tell which ModelDeployment *manifest* belongs to, or None."""
    metadata = manifest["metadata"]
    if kind is MODEL_DEPLOYMENT:
        return Key(metadata["namespace"], metadata["name"])
    name = (metadata.get("labels") or {}).get(NAME_LABEL)
    return Key(metadata["namespace"], name) if name else None


class Store:
    """The newest known version of every watched object, by ModelDeployment."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._objects: dict[Kind, dict[str, Manifest]] = {kind: {} for kind in WATCHED}
        self._owned: dict[Key, dict[Kind, dict[str, Manifest]]] = {}
        self._gone: dict[str, int] = {}
        self._gone_before: dict[str, int] = {}

    def put(self, kind: Kind, manifest: Manifest) -> tuple[Key, ...]:
        """Keep *manifest* if it is newer than what is known; return whom the news concerns.

        That is nobody if it is not newer. An object that we do not select (any more) is not kept.
        """
        uid = manifest["metadata"]["uid"]
        if self._known_version(kind, uid) >= version_of(manifest):
            return ()
        if not kind.selects(manifest):
            return self.drop(kind, manifest) if uid in self._objects[kind] else ()
        before = self._forget(kind, uid)
        kept = _kept(kind, manifest)
        self._objects[kind][uid] = kept
        key = owner_key(kind, kept)
        if key:
            self._owned.setdefault(key, {}).setdefault(kind, {})[uid] = kept
        return _both(before, key)

    def drop(self, kind: Kind, manifest: Manifest) -> tuple[Key, ...]:
        """Forget an object that is gone as of *manifest*'s version; return whom that concerns.

        It is remembered as gone, for events of older versions may still be on their way. A newer
        version is taken again: an object also leaves a watch by losing the label that we select.
        """
        uid = manifest["metadata"]["uid"]
        self._gone[uid] = version_of(manifest)
        return _both(self._forget(kind, uid), None)

    def deployment(self, key: Key) -> Manifest | None:
        """Return the ModelDeployment, or None if there is none."""
        return max(self.owned(MODEL_DEPLOYMENT, key), key=version_of, default=None)

    def owned(self, kind: Kind, key: Key) -> tuple[Manifest, ...]:
        """Return what is labelled as belonging to *key*, sorted by name."""
        objects = self._owned.get(key, {}).get(kind, {}).values()
        return tuple(sorted(objects, key=lambda manifest: manifest["metadata"]["name"]))

    def keys(self) -> tuple[Key, ...]:
        """Return all ModelDeployments."""
        deployments = self._objects[MODEL_DEPLOYMENT].values()
        return tuple(
            Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
            for manifest in deployments
        )

    def missing(self, kind: Kind, listed: Listing) -> tuple[Key, ...]:
        """Tell which listed objects are unknown here, or known in an older version only."""
        return tuple(
            where
            for uid, (where, version) in listed.versions.items()
            if self._known_version(kind, uid) < version
        )

    def drop_unlisted(self, kind: Kind, listed: Listing) -> tuple[Key, ...]:
        """Forget what is older than the list and not on it; return the owners' keys.

        A watch that had to start again after a gap shows no deletion that fell into the gap.
        """
        stale = [
            manifest
            for uid, manifest in self._objects[kind].items()
            if uid not in listed.versions and version_of(manifest) <= listed.version
        ]
        return tuple(key for manifest in stale for key in self.drop(kind, manifest))

    def expire_tombstones(self) -> None:
        """Forget what was gone before the last call: no event can name it any more."""
        self._gone_before, self._gone = self._gone, {}

    def _known_version(self, kind: Kind, uid: str) -> int:
        if known := self._objects[kind].get(uid):
            return version_of(known)
        return self._gone.get(uid, self._gone_before.get(uid, -1))

    def _forget(self, kind: Kind, uid: str) -> Key | None:
        """Remove an object if it is known; return whose it was."""
        known = self._objects[kind].pop(uid, None)
        key = owner_key(kind, known) if known else None
        if key is None:
            return None
        kinds = self._owned[key]
        del kinds[kind][uid]
        if not kinds[kind]:
            del kinds[kind]
        if not kinds:
            del self._owned[key]
        return key


def _both(one: Key | None, other: Key | None) -> tuple[Key, ...]:
    return tuple({key for key in (one, other) if key})


def _kept(kind: Kind, manifest: Manifest) -> Manifest:
    """Say the kind, which items of lists lack, and keep of who wrote what only what is asked for.

    That is everything of the kinds that others write too, and of the other children which fields
    are ours.
    """
    metadata = {**manifest["metadata"]}
    if not kind.tracks_managers:
        entries = metadata.pop("managedFields", None) or ()
        ours = [_compact(one) for one in entries if kind in CHILDREN and applied_by_us(one)]
        metadata |= {"managedFields": ours} if ours else {}
    identity = {"apiVersion": kind.api_version, "kind": kind.name}
    return {**identity, **manifest, "metadata": metadata}


def _compact(entry: Manifest) -> Manifest:
    return entry | {"fieldsV1": _fields(canonical(entry.get("fieldsV1") or {}))}


@lru_cache(maxsize=FIELD_SETS)
def _fields(text: str) -> Manifest:
    """Read a set of fields, once for all objects that have the same: nearly all of a kind do."""
    fields: Manifest = json.loads(text)
    return fields
