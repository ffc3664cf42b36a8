"""Hold what the watches have shown against what the API server lists."""

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
"""So many glances at the store before the kind is listed anew: listed objects may be gone."""


@dataclass(frozen=True, slots=True)
class CacheSync:
    """The API server's lists beside our store."""

    cluster: Cluster
    store: Store
    namespaces: Sequence[str]

    async def wait_for_sync(self) -> None:
        """Wait until the watches have delivered all that is listed, kind after kind.

        Before that, an object that is merely not known yet would look as if it were missing, and
        a restart of the operator would cause writes.
        """
        for kind in WATCHED:
            while not await self._shown(kind):
                log.info("Waiting for the watch of %s", kind.plural)

    async def resync(self, changed: Callable[[Key], None]) -> None:
        """Put right what the watches have missed, and call *changed* for whom it concerns.

        They miss nothing in the normal run of things. Deletions during an outage that outlasts
        the API server's memory are shown by no watch at all.
        """
        for kind in WATCHED:
            try:
                await self._repair(kind, changed)
            except OperatorError as error:
                log.warning("The resync of %s failed: %s", kind.plural, error)
        self.store.expire_tombstones()

    async def _shown(self, kind: Kind) -> bool:
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
