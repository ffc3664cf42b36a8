"""The cache of the cluster: every object that our watches have delivered.

The responses to our own writes update it too, so that the next reconcile sees a write even before
its event arrives. Of two versions of an object the one with the higher `resourceVersion` is kept
(Kubernetes declares them comparable since 1.35; before, etcd's revision made them so).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from typing_extensions import override

from halimede.adapters.kinds import MODEL_DEPLOYMENT, WATCHED, Kind
from halimede.adapters.stored_form import pack, reduce, unpack
from halimede.api.base import Manifest
from halimede.render.names import NAME_LABEL, RESOLVER_LABEL


class Key(NamedTuple):
    """The namespace and name of an object, usually of a ModelDeployment."""

    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        """Return `namespace/name`, as kubectl and the logs of controllers do."""
        return f"{self.namespace}/{self.name}"


class Listing(NamedTuple):
    """The result of a LIST of one kind, without bodies."""

    versions: Mapping[str, tuple[Key, int]]
    """By uid: the object's key and its resourceVersion."""
    version: int
    """The resourceVersion of the list itself."""


def version_of(manifest: Manifest) -> int:
    """Return the resourceVersion as a number."""
    return int(manifest["metadata"].get("resourceVersion") or 0)


def owner_key(kind: Kind, manifest: Manifest) -> Key | None:
    """Return the key of the ModelDeployment that *manifest* belongs to, or None."""
    metadata = manifest["metadata"]
    if kind is MODEL_DEPLOYMENT:
        return Key(metadata["namespace"], metadata["name"])
    labels = metadata.get("labels") or {}
    name = labels.get(NAME_LABEL) or labels.get(RESOLVER_LABEL)
    return Key(metadata["namespace"], name) if name else None


@dataclass(frozen=True, slots=True)
class _Stored:
    """A stored object."""

    name: str
    version: int
    key: Key | None
    """The ModelDeployment that it belongs to."""
    packed: bytes

    @property
    def manifest(self) -> Manifest:
        return unpack(self.packed)


class Store:
    """The newest observed version of every watched object, by ModelDeployment."""

    def __init__(self) -> None:
        """Create an empty store."""
        self._objects: dict[Kind, dict[str, _Stored]] = {kind: {} for kind in WATCHED}
        self._owned: dict[Key, dict[Kind, dict[str, _Stored]]] = {}
        self._tombstones: dict[str, int] = {}
        self._old_tombstones: dict[str, int] = {}

    def put(self, kind: Kind, manifest: Manifest) -> tuple[Key, ...]:
        """Store *manifest* if it is newer than the stored version; return the affected keys.

        No key is affected if it is not newer. An object that our selector does not match, or no
        longer matches, is not stored.
        """
        uid = manifest["metadata"]["uid"]
        if self._stored_version(kind, uid) >= version_of(manifest):
            return ()
        if not kind.selects(manifest):
            return self.drop(kind, manifest) if uid in self._objects[kind] else ()
        before = self._remove(kind, uid)
        stored = _to_stored(kind, reduce(kind, manifest))
        self._objects[kind][uid] = stored
        if stored.key:
            self._owned.setdefault(stored.key, {}).setdefault(kind, {})[uid] = stored
        return _distinct_keys(before, stored.key)

    def drop(self, kind: Kind, manifest: Manifest) -> tuple[Key, ...]:
        """Remove an object that is gone as of *manifest*'s version; return the affected keys.

        A tombstone is kept, as events of older versions may still arrive. A newer version is
        stored again: an object also leaves a watch by losing the label that we select.
        """
        return self._drop(kind, manifest["metadata"]["uid"], version_of(manifest))

    def deployment(self, key: Key) -> Manifest | None:
        """Return the ModelDeployment, or None if there is none."""
        stored = self._owned.get(key, {}).get(MODEL_DEPLOYMENT, {}).values()
        newest = max(stored, key=lambda one: one.version, default=None)
        return newest.manifest if newest else None

    def owned(self, kind: Kind, key: Key) -> tuple[Manifest, ...]:
        """Return the objects that are labelled as belonging to *key*, sorted by name."""
        stored = self._owned.get(key, {}).get(kind, {}).values()
        return tuple(one.manifest for one in sorted(stored, key=lambda one: one.name))

    def keys(self) -> tuple[Key, ...]:
        """Return the keys of all ModelDeployments."""
        deployments = self._objects[MODEL_DEPLOYMENT].values()
        return tuple(stored.key for stored in deployments if stored.key)

    def missing(self, kind: Kind, listed: Listing) -> tuple[Key, ...]:
        """Return the keys of listed objects that are not stored, or only in an older version."""
        return tuple(
            where
            for uid, (where, version) in listed.versions.items()
            if self._stored_version(kind, uid) < version
        )

    def drop_unlisted(self, kind: Kind, listed: Listing) -> tuple[Key, ...]:
        """Remove what is older than the list and not in it; return the owners' keys.

        A watch that had to restart after a gap delivers no deletion from the gap.
        """
        stale = [
            (uid, stored.version)
            for uid, stored in self._objects[kind].items()
            if uid not in listed.versions and stored.version <= listed.version
        ]
        return tuple(key for uid, version in stale for key in self._drop(kind, uid, version))

    def expire_tombstones(self) -> None:
        """Drop the tombstones from before the last call: no event can refer to them any more."""
        self._old_tombstones, self._tombstones = self._tombstones, {}

    def _stored_version(self, kind: Kind, uid: str) -> int:
        if stored := self._objects[kind].get(uid):
            return stored.version
        return self._tombstones.get(uid, self._old_tombstones.get(uid, -1))

    def _drop(self, kind: Kind, uid: str, version: int) -> tuple[Key, ...]:
        self._tombstones[uid] = version
        return _distinct_keys(self._remove(kind, uid), None)

    def _remove(self, kind: Kind, uid: str) -> Key | None:
        """Remove an object if it is stored; return its owner's key."""
        stored = self._objects[kind].pop(uid, None)
        if stored is None or stored.key is None:
            return None
        key, kinds = stored.key, self._owned[stored.key]
        del kinds[kind][uid]
        if not kinds[kind]:
            del kinds[kind]
        if not kinds:
            del self._owned[key]
        return key


def _to_stored(kind: Kind, manifest: Manifest) -> _Stored:
    return _Stored(
        manifest["metadata"]["name"],
        version_of(manifest),
        owner_key(kind, manifest),
        pack(manifest),
    )


def _distinct_keys(first: Key | None, second: Key | None) -> tuple[Key, ...]:
    return tuple({key for key in (first, second) if key})
