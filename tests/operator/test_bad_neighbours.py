"""Models that can never settle: the others settle as if these were not there.

`-s` prints the figures.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from http import HTTPStatus
from itertools import chain, count, cycle
from pathlib import Path

import pytest

from halimede.adapters.cluster import KubeCluster
from halimede.settings import Settings
from localcluster.cluster import Cluster
from tests.operator.conftest import Process, connected, run_operator
from tests.operator.failing_writes import denial, silent_webhook
from tests.operator.group import Group
from tests.operator.rivals import edit_spec, fighting, undo_service, undo_status
from tests.support.clusters import start_control_plane
from tests.support.operator_account import OperatorAccount, install
from tests.support.waiting import wait_until_async

SIZE = 5
"""Number of good models in each group."""
RIVALS = 20
"""Number of models that are fought over."""
EDITORS = (edit_spec, edit_spec, edit_spec)
"""Their clients edit the specs of the first ones; the others' undo what the operator writes."""
CROWD = 200
"""Number of models in a namespace in which no write succeeds."""
SLACK = 1.5
"""How many times the requests of a model may grow beside bad ones."""
_numbers = count(1)


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Cluster]:
    """Start a control plane of our own, as the load would slow down other tests."""
    with start_control_plane(f"tests-bad-{os.getpid()}", kwok_nodes=2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def account(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> OperatorAccount:
    """Install the operator's account."""
    return install(control_plane, tmp_path_factory.mktemp("account"))


@pytest.fixture
async def kube(control_plane: Cluster) -> AsyncIterator[KubeCluster]:
    """Connect a client of an administrator."""
    async with connected(control_plane.kubeconfig) as client:
        yield client


@pytest.fixture
def namespaces(control_plane: Cluster) -> tuple[str, str]:
    """Create a namespace for bad models, and another one."""
    number = next(_numbers)
    names = f"bad-{number}", f"other-{number}"
    for name in names:
        control_plane.kubectl("create", "namespace", name)
    return names


@pytest.fixture
def operator(
    account: OperatorAccount, namespaces: tuple[str, str], tmp_path: Path
) -> Iterator[Process]:
    """Run an operator for the two namespaces."""
    settings = {
        "HALIMEDE_NAMESPACES": ",".join(namespaces),
        "HALIMEDE_METRICS_AUTHENTICATION": "false",
    }
    with run_operator(account, tmp_path / "halimede.log", settings) as process:
        yield process


async def test_models_that_are_fought_over_delay_no_others(
    account: OperatorAccount, kube: KubeCluster, namespaces: tuple[str, str], operator: Process
) -> None:
    """Given clients that undo writes or edit specs without end, these models alone are slow.

    The others need as many requests as before.
    """
    bad, _ = namespaces
    audit = account.audit()
    before = [Group(kube, namespace, "before", SIZE) for namespace in namespaces]
    await asyncio.gather(*(group.settle() for group in before))
    fought = Group(kube, bad, "fought", RIVALS)
    await fought.create()
    await wait_until_async(fought.reasons, lambda seen: seen == {"Serving": RIVALS})
    rivals = zip(fought.names, chain(EDITORS, cycle((undo_service, undo_status))), strict=False)
    async with fighting(kube, bad, rivals):
        await wait_until_async(
            lambda: _not_slow(operator, bad, fought.names[: len(EDITORS)]), lambda names: not names
        )
        beside_audit = account.audit()
        beside = [Group(kube, namespace, "beside", SIZE) for namespace in namespaces]
        await asyncio.gather(*(group.settle() for group in beside))
        spent = max(fought.requests(beside_audit).values(), default=0)
    for first, second in zip(before, beside, strict=True):
        sys.stdout.write(
            f"\n{second.namespace}: {second.typical(audit)} requests, {first.typical(audit)}"
            f" before; for a model that is fought over {spent} at most\n"
        )
        assert second.typical(audit) <= SLACK * first.typical(audit)
        assert spent <= 2 * first.typical(audit)


async def test_a_namespace_that_denies_every_write_delays_no_others(
    account: OperatorAccount,
    kube: KubeCluster,
    namespaces: tuple[str, str],
    operator: Process,
) -> None:
    """Given very many models whose writes a policy denies, the others need as many requests."""
    bad, other = namespaces
    audit = account.audit()
    before = Group(kube, other, "before", SIZE)
    await before.settle()
    denied = Group(kube, bad, "denied", CROWD)
    with denial(account, bad):
        await denied.create()
        beside = Group(kube, other, "beside", SIZE)
        await beside.settle()
        assert operator.said("Reconcile failed, will retry: modeldeployments.halimede.dev")
        assert await denied.reasons() == {"": CROWD}
        assert beside.typical(audit) <= SLACK * before.typical(audit)
        spent = denied.requests(audit)
        sys.stdout.write(
            f"\n{beside.typical(audit)} requests, {before.typical(audit)} before;"
            f" {max(spent.values())} at most for one that is denied\n"
        )
    await wait_until_async(denied.reasons, lambda seen: seen[""] < CROWD)


async def test_writes_that_are_not_answered_delay_no_others(
    account: OperatorAccount, kube: KubeCluster, namespaces: tuple[str, str], operator: Process
) -> None:
    """Given a webhook that does not answer, the others settle before its first time-outs matter.

    As many writes as the namespace may have at the same time may end meanwhile.
    """
    bad, other = namespaces
    audit = account.audit()
    stuck = Group(kube, bad, "stuck", CROWD)
    await Group(kube, other, "before", SIZE).settle()
    with silent_webhook(account, bad):
        await stuck.create()
        at_once = Settings.from_env({}).workers // 2
        await wait_until_async(stuck.reasons, lambda seen: CROWD - seen[""] >= at_once)
        await Group(kube, other, "beside", SIZE).settle()
        # The first writes succeed, until the API server uses the webhook.
        codes = [event["responseStatus"]["code"] for event in audit.requests(bad)]
        ended = [code for code in codes if code >= HTTPStatus.INTERNAL_SERVER_ERROR]
        sys.stdout.write(f"\n{len(ended)} writes ended meanwhile\n")
        assert len(ended) <= at_once
    assert operator.popen.poll() is None


async def _not_slow(operator: Process, namespace: str, names: Iterable[str]) -> list[str]:
    """Return the models of which the operator does not say that they have to wait."""
    said = "Changes again and again, so it has to wait"
    return [name for name in names if not operator.said(f"{said} key={namespace}/{name}")]
