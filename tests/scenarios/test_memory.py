"""What the operator keeps after rollouts that have ended, and of objects that are gone."""

import gc
import sys

from halimede.adapters.kinds import BY_NAME
from halimede.plan.renderer import Renderer
from harness.fake_cluster import FakeCluster
from harness.fake_prometheus import FakePrometheus
from harness.slow_prometheus import SlowServer, serve
from harness.tenants import Shared, add_new, shared_operator

ROLLOUTS = 30
"""One a day for a month."""
OBJECTS = 100
BLOCKS = 25
"""How many may remain for each of them: the timer of the next resync and its key have some 18."""


def count_blocks() -> int:
    """Return how many blocks of memory are kept; each object has one or two."""
    gc.collect()
    return sys.getallocatedblocks()


def test_rollouts_that_have_ended_leave_nothing(cluster: FakeCluster) -> None:
    """Given one model that is rolled out every day, the second month adds no memory.

    The first month fills the history of revisions and the caches.
    """
    cluster.renderer = Renderer(max_bytes=1024 * 1024)
    month = [roll_out(cluster, ROLLOUTS * number) for number in range(2)]
    assert month[1] - month[0] < BLOCKS * ROLLOUTS


def roll_out(cluster: FakeCluster, first: int) -> int:
    """Roll out one model after the other; return how many blocks are kept then."""
    for number in range(first, first + ROLLOUTS):
        cluster.model(number + 2).run(10)
        cluster.command(f"promote-full-force {number + 1}")
        cluster.until(cluster.ready)
        for record in (cluster.events, cluster.writes, cluster.weights, cluster.states):
            record.clear()
        cluster.prometheus = FakePrometheus()
    return count_blocks()


async def test_objects_that_are_gone_leave_nothing(cluster: FakeCluster) -> None:
    """Given 100 ModelDeployments that are created and deleted again and again, none is kept."""
    with serve(SlowServer({})) as server:
        shared = shared_operator(server, cluster, 0)
        async with shared.running():
            rounds = [await come_and_go(shared, number) for number in range(3)]
    assert rounds[2] - rounds[1] < BLOCKS * OBJECTS


async def come_and_go(shared: Shared, number: int) -> int:
    """Create ModelDeployments of new names, then delete them; return how many blocks are kept."""
    names = [f"round{number}-{index}" for index in range(OBJECTS)]
    keys = add_new(shared, names)
    await shared.wait_for(lambda: not len(shared.queue) and shared.reconciled.issuperset(keys))
    shared.reconciled.clear()
    for manifest in shared.api.objects.values():
        shared.store.drop(BY_NAME[manifest["kind"]], manifest)
    shared.api.objects.clear()
    for key in keys:
        shared.queue.add(key)
    await shared.wait_for(lambda: not len(shared.queue) and shared.reconciled.issuperset(keys))
    shared.api.statuses.clear()
    shared.reconciled.clear()
    shared.store.expire_tombstones()
    shared.store.expire_tombstones()
    return count_blocks()
