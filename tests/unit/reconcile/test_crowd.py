"""A rollout in trouble while very many ModelDeployments are created."""

from collections.abc import Callable

import pytest

from halimede.api.status import Outcome
from harness.fake_cluster import FakeCluster
from harness.slow_prometheus import SlowServer, serve
from harness.tenants import (
    VICTIM,
    WORKERS,
    Shared,
    add_new,
    bodies,
    doomed_cluster,
    shared_operator,
    shed_cluster,
)

CROWD = 2000


def is_aborted(shared: Shared) -> bool:
    """Return whether the rollout is aborted."""
    return shared.outcome(VICTIM) is Outcome.ABORTED


def is_shed(shared: Shared) -> bool:
    """Return whether the canary has lost its weight."""
    rollouts = [status.rollout for key, status in shared.api.statuses if key == VICTIM]
    return any(one is not None and one.weight == 0 for one in rollouts)


@pytest.mark.parametrize(
    ("create", "is_over"),
    [(doomed_cluster, is_aborted), (shed_cluster, is_shed)],
    ids=["errors", "endpoints lost"],
)
async def test_a_crowd_of_new_objects_delays_no_way_back(
    create: Callable[[], FakeCluster], is_over: Callable[[Shared], bool]
) -> None:
    """Given 2,000 new objects that wait, a canary's trouble is handled before nearly all."""
    cluster = create()
    with serve(SlowServer(bodies(cluster))) as server:
        shared = shared_operator(server, cluster, 0)
        add_new(shared, (f"new{number}" for number in range(CROWD)))
        async with shared.running():
            shared.queue.add(VICTIM)
            await shared.wait_for(lambda: is_over(shared))
            assert len(shared.reconciled) - shared.before_answers < 4 * WORKERS
