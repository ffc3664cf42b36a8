"""Users' own objects that specs reference: read once, then updated by the watch."""

from collections.abc import Iterable

from halimede.adapters.cluster import Cluster
from halimede.adapters.kinds import Kind
from halimede.adapters.store import Key, version_of
from halimede.api.base import Manifest


class ReferencedObjects:
    """The objects of one kind that ModelDeployments reference, and the references."""

    def __init__(self, cluster: Cluster, kind: Kind) -> None:
        """Start empty; an object is read from *cluster* when it is first referenced."""
        self._cluster = cluster
        self._kind = kind
        self._objects: dict[Key, Manifest] = {}
        self._readers: dict[Key, set[Key]] = {}
        self._reads: dict[Key, frozenset[Key]] = {}

    async def read(self, key: Key, names: Iterable[str]) -> dict[str, Manifest | None]:
        """Return the objects that *key* references, by name; None for those that do not exist."""
        names = tuple(names)
        # First, so that changes during the read are noticed.
        self._register(key, [Key(key.namespace, name) for name in names])
        return {name: await self._read(Key(key.namespace, name)) for name in names}

    def on_event(self, manifest: Manifest, *, deleted: bool = False) -> tuple[Key, ...]:
        """Store an object that the watch delivers; return the affected keys."""
        where = Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        readers = self._readers.get(where, ())
        if not readers:
            return ()
        if deleted:
            self._objects.pop(where, None)
            return tuple(readers)
        return tuple(readers) if self._store(where, manifest) else ()

    def forget(self, key: Key) -> None:
        """Remove the references of a ModelDeployment that is gone."""
        self._register(key, ())

    async def refresh(self, where: Key) -> None:
        """Read an object again whose stored version is outdated."""
        live = await self._cluster.get(self._kind, where.namespace, where.name)
        if live is None:
            self._objects.pop(where, None)
        else:
            self._store(where, live)

    async def _read(self, where: Key) -> Manifest | None:
        if where not in self._objects:
            await self.refresh(where)
        return self._objects.get(where)

    def _store(self, where: Key, manifest: Manifest) -> bool:
        stored = self._objects.get(where)
        if stored is not None and version_of(stored) >= version_of(manifest):
            return False
        self._objects[where] = manifest
        return True

    def _register(self, key: Key, names: Iterable[Key]) -> None:
        before, after = self._reads.get(key, frozenset()), frozenset(names)
        for where in before - after:
            self._readers[where].discard(key)
            if not self._readers[where]:
                del self._readers[where]
                self._objects.pop(where, None)
        for where in after - before:
            self._readers.setdefault(where, set()).add(key)
        self._reads[key] = after
        if not after:
            del self._reads[key]
