"""The operator beside the objects of a tenant who wants to end it.

`LOAD=full` takes the sizes of docs/benchmarks.md; `-s` prints the figures.
"""

import asyncio
import os
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from statistics import median

import pytest

from bench.process import Running
from halimede.api.quantity import parse_quantity
from harness.prometheus import started
from localcluster.cluster import Cluster
from tests.operator.conftest import connected, run_operator
from tests.operator.hostile_objects import HostileTenant, Size
from tests.operator.neighbour import PAGE, Neighbour, Reaction
from tests.prometheus.exposition import Exposition, served
from tests.prometheus.server import configuration
from tests.support.clusters import start_control_plane
from tests.support.operator_account import OperatorAccount, install
from tests.support.waiting import wait_until, wait_until_async

SIZES = {
    "some": Size(config_maps=100, deployments=40, edits=40),
    "full": Size(config_maps=500, deployments=200, edits=200),
}
HOSTILE, NEIGHBOUR = "hostile", "neighbour"
"""The namespaces."""


@pytest.fixture
def control_plane() -> Iterator[Cluster]:
    """Start a control plane of our own, as the load would slow down other tests."""
    with start_control_plane(f"tests-load-{os.getpid()}", kwok_nodes=2) as cluster:
        for namespace in (HOSTILE, NEIGHBOUR):
            cluster.kubectl("create", "namespace", namespace)
        yield cluster


@pytest.fixture
def counters() -> Exposition:
    """Return the pages of counters that Prometheus scrapes."""
    return Exposition()


@pytest.fixture
def prometheus(counters: Exposition, tmp_path: Path) -> Iterator[str]:
    """Start a Prometheus, and return its URL."""
    with served(counters) as port:
        settings = configuration(port, [(PAGE, {"instance": "triton"})])
        with started(tmp_path, settings) as address:
            yield f"http://{address}"


async def test_bad_canaries_are_aborted_beside_the_load_of_another_tenant(
    control_plane: Cluster, counters: Exposition, prometheus: str, tmp_path: Path
) -> None:
    """Given many, large, deep and edited objects, the operator starts, judges and aborts.

    Its memory stays below the limit of the chart.
    """
    size = SIZES[os.environ.get("LOAD", "some")]
    account = install(control_plane, tmp_path)
    audit = account.audit()
    settings = account.settings | {"HALIMEDE_PROMETHEUS_URL": prometheus}
    # The API server and the machine have the load both times, but this operator does not see it.
    without_load = settings | {"HALIMEDE_NAMESPACES": NEIGHBOUR, "HALIMEDE_LEASE": ""}
    async with connected(control_plane.kubeconfig) as kube:
        hostile = HostileTenant(control_plane, kube, HOSTILE)
        neighbour = Neighbour(kube, counters, NEIGHBOUR)
        await hostile.create(size)
        with run_operator(account, tmp_path / "without-load.log", without_load):
            await neighbour.serve()
            without = await roll_out_beside_edits(neighbour, hostile.edit(size.edits))
        with run_operator(account, tmp_path / "with-load.log", settings) as operator:
            wait_until(lambda: hostile.undecided(size), lambda names: not names)
            beside = await roll_out_beside_edits(neighbour, hostile.edit(size.edits))
            await wait_until_async(hostile.unobserved, lambda names: not names)
            peak = Running(operator.popen.pid).usage().peak_mebibytes
    assert audit.forbidden_requests() == []
    limit = memory_limit(account)
    sys.stdout.write(f"\n{size}\npeak memory: {peak:.0f} MiB of {limit:.0f} MiB\n")
    sys.stdout.write(report(without, beside))
    assert peak < limit


async def roll_out_beside_edits(
    neighbour: Neighbour, edits: Coroutine[None, None, None]
) -> list[Reaction]:
    """Roll out one bad canary after the other until the edits are over."""
    reactions = []
    async with asyncio.TaskGroup() as tasks:
        editing = tasks.create_task(edits)
        while not editing.done():
            reactions.append(await neighbour.roll_out())
    return reactions


def memory_limit(account: OperatorAccount) -> float:
    """Return the memory limit in the chart's default values, in MiB."""
    pod = account.rendered.only("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return float(parse_quantity(container["resources"]["limits"]["memory"])) / 2**20


def report(without: list[Reaction], beside: list[Reaction]) -> str:
    """Describe the medians with and without the load, and their ratios."""
    return "".join(
        f"{what}: {median(slower):.2f} s, without the load {median(faster):.2f} s,"
        f" {median(slower) / median(faster):.2f} times\n"
        for what, slower, faster in (
            ("shed", [one.shed for one in beside], [one.shed for one in without]),
            ("abort", [one.abort for one in beside], [one.abort for one in without]),
        )
    )
