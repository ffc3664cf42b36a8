"""Apply manifests as fast as the operator's own client can: `python -m bench.apply < LIST`.

This is the reference: no watch, no decision, no status.
"""

import asyncio
import json
import sys
import time

from halimede.adapters.cluster import CONNECTIONS, KubeCluster
from halimede.adapters.login import log_in
from halimede.api.base import Manifest

MANAGER = "bench"


async def apply(manifests: list[Manifest]) -> float:
    """Apply all manifests concurrently; return the elapsed seconds."""
    cluster = KubeCluster(await log_in(), agent=MANAGER)
    # The timeout of a request includes the time that it waits for a connection.
    connection = asyncio.Semaphore(CONNECTIONS)

    async def send(manifest: Manifest) -> None:
        async with connection:
            await cluster.create(manifest, MANAGER)

    try:
        started = time.monotonic()
        await asyncio.gather(*map(send, manifests))
        return time.monotonic() - started
    finally:
        await cluster.close()


if __name__ == "__main__":
    print(asyncio.run(apply(json.load(sys.stdin))))
