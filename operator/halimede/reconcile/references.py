"""Objects that specs name: users' own, read once and then followed by the watch."""

from collections.abc import Iterable

from halimede.adapters.cluster import Cluster
from halimede.adapters.kinds import Kind
from halimede.adapters.store import Key, version_of
from halimede.api.base import Manifest


class ReferencedObjects:
    """The objects of one kind that ModelDeployments name, and who names which."""

    def __init__(self, cluster: Cluster, kind: Kind) -> None:
        """Know nothing yet; *cluster* is asked when an object is named for the first time."""
        self._cluster = cluster
        self._kind = kind
        self._held: dict[Key, Manifest] = {}
        self._readers: dict[Key, set[Key]] = {}
        self._reads: dict[Key, frozenset[Key]] = {}

    async def read(self, key: Key, names: Iterable[str]) -> dict[str, Manifest | None]:
        """Return the objects that *key* names now, by name; None for those that do not exist."""
        names = tuple(names)
        # First: what changes while it is read must be noticed.
        self._register(key, [Key(key.namespace, name) for name in names])
        return {name: await self._read(Key(key.namespace, name)) for name in names}

    def on_event(self, manifest: Manifest, *, deleted: bool = False) -> tuple[Key, ...]:
        """Take note of an object that the watch shows; return the keys that this is news to."""
        where = Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        readers = self._readers.get(where, ())
        if not readers:
            return ()
        if deleted:
            self._held.pop(where, None)
            return tuple(readers)
        return tuple(readers) if self._hold(where, manifest) else ()

    def forget(self, key: Key) -> None:
        """Forget a ModelDeployment that is gone."""
        self._register(key, ())

    async def refresh(self, where: Key) -> None:
        """Read an object again of which an older version was held than there is."""
        live = await self._cluster.get(self._kind, where.namespace, where.name)
        if live is None:
            self._held.pop(where, None)
        else:
            self._hold(where, live)

    async def _read(self, where: Key) -> Manifest | None:
        if where not in self._held:
            await self.refresh(where)
        return self._held.get(where)

    def _hold(self, where: Key, manifest: Manifest) -> bool:
        held = self._held.get(where)
        if held is not None and version_of(held) >= version_of(manifest):
            return False
        self._held[where] = manifest
        return True

    def _register(self, key: Key, names: Iterable[Key]) -> None:
        before, after = self._reads.get(key, frozenset()), frozenset(names)
        for where in before - after:
            self._readers[where].discard(key)
            if not self._readers[where]:
                del self._readers[where]
                self._held.pop(where, None)
        for where in after - before:
            self._readers.setdefault(where, set()).add(key)
        self._reads[key] = after
        if not after:
            del self._reads[key]
