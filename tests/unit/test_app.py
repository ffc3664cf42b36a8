"""What the running operator says about itself."""

import asyncio

from kubernetes.aio.client import Configuration

from halimede.adapters.cluster import KubeCluster
from halimede.app import Operator
from halimede.settings import Settings


async def test_failed_watches_make_it_unhealthy() -> None:
    """Given a watch that has ended with an error, the probe names the error."""

    async def fail() -> None:
        raise ValueError("the list has no items")

    cluster = KubeCluster(Configuration())
    operator = Operator(Settings.from_env({}), cluster)
    running, failed = asyncio.create_task(asyncio.Event().wait()), asyncio.create_task(fail())
    await asyncio.wait([failed])
    operator._watches = [running]
    assert operator.unhealthy_reason() is None
    operator._watches = [running, failed]
    assert "the list has no items" in (operator.unhealthy_reason() or "")
    running.cancel()
    await cluster.close()
