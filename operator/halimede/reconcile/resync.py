"""Comparison of the store with the API server's lists."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from halimede.adapters.cluster import Cluster
from halimede.adapters.errors import OperatorError
from halimede.adapters.kinds import WATCHED, Kind
from halimede.adapters.store import Key, Store

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
POLLS = 40
"""Checks of the store before the kind is listed again: listed objects may be gone."""


@dataclass(frozen=True, slots=True)
class CacheSync:
    """Compares the API server's lists with our store."""

    cluster: Cluster
    store: Store
    namespaces: Sequence[str]

    async def wait_for_sync(self) -> None:
        """Wait until the watches have delivered all listed objects, kind after kind.

        Before that, an object that was not delivered yet would appear to be missing, and a restart
        of the operator would cause writes.
        """
        for kind in WATCHED:
            while not await self._is_synced(kind):
                log.info("Waiting for the watch of %s to start", kind.plural)

    async def resync(self, changed: Callable[[Key], None]) -> None:
        """Correct what the watches have missed, and call *changed* with the affected keys.

        Normally they miss nothing. But no watch delivers deletions from an outage that lasts
        longer than the API server keeps old versions.
        """
        for kind in WATCHED:
            try:
                await self._repair(kind, changed)
            except OperatorError as error:
                log.warning("Resync of %s failed: %s", kind.plural, error)
        self.store.expire_tombstones()

    async def _is_synced(self, kind: Kind) -> bool:
        try:
            listed = await self.cluster.list_versions(kind, self.namespaces)
        except OperatorError as error:
            log.warning("Cannot list %s yet: %s", kind.plural, error)
            await asyncio.sleep(1.0)
            return False
        for _ in range(POLLS):
            if not self.store.missing(kind, listed):
                return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def _repair(self, kind: Kind, changed: Callable[[Key], None]) -> None:
        listed = await self.cluster.list_versions(kind, self.namespaces)
        for owner in self.store.drop_unlisted(kind, listed):
            changed(owner)
        for where in self.store.missing(kind, listed):
            live = await self.cluster.get(kind, where.namespace, where.name)
            for key in self.store.put(kind, live) if live else ():
                changed(key)
