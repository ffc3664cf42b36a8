"""Foreign objects, as the last reconciles found them."""

from collections.abc import Set as AbstractSet

from halimede.adapters.cluster import Cluster
from halimede.adapters.kinds import BY_NAME
from halimede.adapters.store import Key
from halimede.api.base import Manifest
from halimede.plan.foreign import ChildKey, child_key, is_owned_by


class ForeignObjects:
    """The names of the foreign objects of each ModelDeployment.

    A write of a child finds them. Most of them are not watched, as they lack our label: each
    reconcile reads their metadata, until they are gone or ours.
    """

    def __init__(self, cluster: Cluster) -> None:
        """Start empty."""
        self._cluster = cluster
        self._known: dict[Key, AbstractSet[ChildKey]] = {}

    async def read(self, key: Key, uid: str) -> tuple[Manifest, ...]:
        """Return the kind and metadata of those that are still there, and forget the others.

        Args:
            key: The ModelDeployment's key.
            uid: Its uid: what has it as an owner is not foreign.
        """
        known = sorted(self._known.get(key, ()))
        live = [await self._read(key, child) for child in known]
        foreign = tuple(
            manifest for manifest in live if manifest and not is_owned_by(manifest, uid)
        )
        self.retain(key, frozenset(map(child_key, foreign)))
        return foreign

    def add(self, key: Key, child: ChildKey) -> None:
        """Add an object that a write has found."""
        self._known[key] = self._known.get(key, frozenset()) | {child}

    def retain(self, key: Key, children: AbstractSet[ChildKey]) -> None:
        """Forget all others: they are gone, or their names are not needed any more."""
        known = self._known.pop(key, frozenset()) & children
        if known:
            self._known[key] = known

    def forget(self, key: Key) -> None:
        """Forget the objects of a ModelDeployment that is gone."""
        self._known.pop(key, None)

    async def _read(self, key: Key, child: ChildKey) -> Manifest | None:
        kind, name = child
        return await self._cluster.get_metadata(BY_NAME[kind], key.namespace, name)
