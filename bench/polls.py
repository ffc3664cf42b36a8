"""Measure whether slow queries of one tenant delay the abort of another: `python -m bench.polls`.

It needs no cluster: a real HTTP server on loopback stands for Prometheus.
"""

import asyncio
import sys
import time
from statistics import median

from rich.console import Console
from rich.table import Table

from halimede.reconcile.polls import CUSTOM_PER_NAMESPACE
from harness.fake_cluster import FakeCluster
from harness.slow_prometheus import SlowServer, serve
from harness.tenants import VICTIM, bodies, doomed_cluster, shared_operator

NEIGHBOURS = 100
"""ModelDeployments in another namespace whose queries do not end."""
TIMES = 3
TARGET = 2.0
"""Time with the neighbours, as a multiple of the time without them."""
LIMIT_SECONDS = 60.0
"""After this the benchmark fails."""


async def abort_seconds(doomed: FakeCluster, neighbours: int) -> float:
    """Return the seconds from a due poll to the stored abort."""
    with serve(SlowServer(bodies(doomed))) as server:
        shared = shared_operator(server, doomed, neighbours)
        slow = CUSTOM_PER_NAMESPACE if neighbours else 0
        async with shared.running(), asyncio.timeout(LIMIT_SECONDS):
            await shared.wait_for(lambda: len(shared.reconciled) == neighbours)
            await asyncio.to_thread(server.wait_for, slow, LIMIT_SECONDS)
            started = time.monotonic()
            shared.queue.add(VICTIM)
            await shared.wait_for(lambda: shared.outcome(VICTIM) is not None)
            return time.monotonic() - started


def main() -> int:
    """Measure in turn with and without the neighbours, and print; 1 if the target is missed."""
    doomed = doomed_cluster()
    alone, crowded = [], []
    for _ in range(TIMES):
        alone.append(asyncio.run(abort_seconds(doomed, 0)))
        crowded.append(asyncio.run(abort_seconds(doomed, NEIGHBOURS)))
    ratio = median(crowded) / median(alone)
    table = Table("a due poll to the stored abort, median", "s", "ratio", "target")
    table.add_row("alone", f"{median(alone):.3f}", "1.0", "")
    row = f"beside {NEIGHBOURS} objects with slow queries"
    table.add_row(row, f"{median(crowded):.3f}", f"{ratio:.1f}", f"{TARGET:g}")
    Console().print(table)
    return int(ratio > TARGET)


if __name__ == "__main__":
    sys.exit(main())
