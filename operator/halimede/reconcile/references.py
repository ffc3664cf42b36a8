"""Objects that are read by name: users' own that specs reference, and ours that may be large.

The watch delivers only their metadata. The content is read when a reconcile needs it, and again
when the watch delivers a newer version.
"""

from collections.abc import Iterable
from typing import NamedTuple

from halimede.adapters.cluster import Cluster
from halimede.adapters.kinds import Kind
from halimede.adapters.store import Key, version_of
from halimede.adapters.stored_form import pack, prepare, unpack
from halimede.api.base import Manifest
from halimede.plan.bounded_cache import BoundedCache, memory_of

MAX_BYTES = 64 * 1024 * 1024
"""Maximum memory of the contents of one kind; what does not fit is read in every reconcile."""


class _Content(NamedTuple):
    version: int
    packed: bytes


class ReferencedObjects:
    """The objects of one kind that ModelDeployments reference, and the references."""

    def __init__(self, cluster: Cluster, kind: Kind, max_bytes: int = MAX_BYTES) -> None:
        """Start empty; an object is read from *cluster* when it is first referenced."""
        self._cluster = cluster
        self._kind = kind
        self._objects: BoundedCache[Key, _Content] = BoundedCache(max_bytes)
        self._newest: dict[Key, int] = {}
        """The newest version that the watch has shown of each referenced object."""
        self._readers: dict[Key, set[Key]] = {}
        self._reads: dict[Key, frozenset[Key]] = {}

    async def read(self, key: Key, names: Iterable[str]) -> dict[str, Manifest | None]:
        """Return the objects that *key* references, by name; None for those that do not exist."""
        names = tuple(names)
        # First, so that changes during the read are noticed.
        self._register(key, [Key(key.namespace, name) for name in names])
        return {name: await self._read(Key(key.namespace, name)) for name in names}

    def on_event(self, metadata: Manifest, *, deleted: bool = False) -> tuple[Key, ...]:
        """Drop the content of an object that has changed; return the affected keys."""
        where, version = _key_of(metadata), version_of(metadata)
        stored = self._objects.get(where)
        if not deleted and stored is not None and stored.version >= version:
            return ()
        if where in self._readers:
            self._newest[where] = max(version, self._newest.get(where, 0))
        self._objects.pop(where)
        return tuple(self._readers.get(where, ()))

    def put(self, manifest: Manifest) -> None:
        """Store an object that we have written, so that it need not be read."""
        self._store(prepare(self._kind, manifest))

    def forget(self, key: Key) -> None:
        """Remove the references of a ModelDeployment that is gone."""
        self._register(key, ())

    async def refresh(self, where: Key) -> Manifest | None:
        """Read an object again whose stored version may be outdated; None: it does not exist."""
        live = await self._cluster.get(self._kind, where.namespace, where.name)
        if live is None:
            self._objects.pop(where)
            return None
        content = prepare(self._kind, live)
        self._store(content)
        return content

    async def _read(self, where: Key) -> Manifest | None:
        stored = self._objects.get(where)
        return unpack(stored.packed) if stored else await self.refresh(where)

    def _store(self, content: Manifest) -> None:
        where, version = _key_of(content), version_of(content)
        stored = self._objects.get(where)
        if stored is not None and stored.version >= version:
            return
        if version < self._newest.get(where, 0):
            return  # the event of a newer version has arrived before the response with this one
        packed = _Content(version, pack(content))
        self._objects.put(where, packed, memory_of(packed))

    def _register(self, key: Key, names: Iterable[Key]) -> None:
        before, after = self._reads.get(key, frozenset()), frozenset(names)
        for where in before - after:
            self._readers[where].discard(key)
            if not self._readers[where]:
                del self._readers[where]
                self._newest.pop(where, None)
                self._objects.pop(where)
        for where in after - before:
            self._readers.setdefault(where, set()).add(key)
        self._reads[key] = after
        if not after:
            del self._reads[key]


def _key_of(manifest: Manifest) -> Key:
    return Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
