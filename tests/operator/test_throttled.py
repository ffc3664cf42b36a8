"""An API server that rejects or delays the operator's requests, because it has too many."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.kinds import MODEL_DEPLOYMENT
from halimede.api.status import Outcome, State, Status
from localcluster.cluster import Cluster
from tests.operator.conftest import Process, connected, model, put, run_operator
from tests.operator.failing_writes import unanswered_write
from tests.operator.group import Group
from tests.operator.reading import answer
from tests.operator.throttling import (
    Throttle,
    rejected_writes,
    repeated_too_soon,
    sent_before_repetition,
)
from tests.operator.user import CANARY, CHANGED
from tests.support.audit_log import AuditLog
from tests.support.clusters import start_control_plane
from tests.support.operator_account import OperatorAccount, install
from tests.support.waiting import wait_until_async

NEW, OLD, OTHER = "new", "old", "other"
"""The namespaces: of new models, of one with a rollout, and of no model."""
TRIED = "tried"
CROWD = 60
REJECTED = 5
"""Number of rejected writes after which the API server stops."""
API_SERVER = "kube-apiserver"
FEW_REQUESTS = ["--max-requests-inflight=30", "--max-mutating-requests-inflight=20"]
"""The limits of which one share is one request."""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorAccount]:
    """Start a control plane of our own, and install the operator's account."""
    name = f"tests-throttled-{os.getpid()}"
    with start_control_plane(name, kwok_nodes=1, api_server=FEW_REQUESTS) as cluster:
        for namespace in (NEW, OLD, OTHER):
            cluster.kubectl("create", "namespace", namespace)
        yield install(cluster, tmp_path_factory.mktemp("account"))


@pytest.fixture
async def kube(account: OperatorAccount) -> AsyncIterator[KubeCluster]:
    """Connect a client of an administrator, which is not throttled."""
    async with connected(account.cluster.kubeconfig) as client:
        yield client


@pytest.fixture
def throttle(account: OperatorAccount) -> Iterator[Throttle]:
    """Limit the operator to very many requests."""
    limit = Throttle.install(account, 1000)
    yield limit
    limit.remove()


async def status_of(kube: KubeCluster, name: str) -> Status:
    """Return the status of the model with the rollout."""
    live = await kube.get(MODEL_DEPLOYMENT, OLD, name)
    assert live is not None
    return Status.model_validate(live.get("status", {}))


async def test_nothing_is_lost_if_requests_are_rejected_or_not_answered(
    account: OperatorAccount, kube: KubeCluster, throttle: Throttle, tmp_path: Path
) -> None:
    """Given an API server that rejects requests, then answers none, and then all of them.

    A command is executed before the new models beside it. The operator repeats no request sooner
    than it may, stays healthy, and settles everything afterwards, also what has changed while
    nothing was executed.
    """
    audit = account.audit()
    settings = account.settings | {
        "HALIMEDE_NAMESPACES": f"{NEW},{OLD}",
        "HALIMEDE_METRICS_AUTHENTICATION": "false",
        "HALIMEDE_LEASE_SECONDS": "6",
    }
    with run_operator(account, tmp_path / "halimede.log", settings) as operator:
        await roll_out(kube)
        throttle.set(1)
        crowd = Group(kube, NEW, "crowd", CROWD)
        with unanswered_write(account, OTHER):
            throttle.wait_until_full()
            abort(account.cluster)
            await crowd.create()
            await wait_until_async(lambda: count_rejected(audit, OLD), lambda number: number > 1)
        await wait_until_async(
            lambda: status_of(kube, TRIED),
            lambda seen: seen.last_rollout or (seen.rollout and seen.rollout.outcome),
        )
        assert sent_before_repetition(audit, OLD, NEW) == []
        await wait_until_async(
            lambda: count_rejected(audit, NEW), lambda number: number > REJECTED
        )
        # Later, a reconcile that ends with the lease begins again with the next one.
        assert repeated_too_soon(audit, NEW) == []
        with suspended_api_server(account.cluster):
            await wait_until_async(lambda: said(operator, "Lost the lease"))
            assert answer(operator, "/healthz") == (200, "ok")
            assert answer(operator, "/readyz")[0] == 200
        throttle.set(1000)
        await wait_until_async(crowd.reasons, lambda seen: seen == {"Serving": CROWD})
        over = await wait_until_async(
            lambda: status_of(kube, TRIED), lambda seen: seen.rollout is None
        )
        assert over.last_rollout
        assert over.last_rollout.outcome is Outcome.ABORTED
        assert operator.popen.poll() is None
        sys.stdout.write(f"\n{len(rejected_writes(audit, NEW))} writes of new models rejected\n")


async def roll_out(kube: KubeCluster) -> None:
    """Create the model, and wait until a canary of it is analysed."""
    await put(kube, model(TRIED, OLD, rollout=CANARY), "test")
    await wait_until_async(lambda: status_of(kube, TRIED), lambda seen: seen.stable)
    await put(kube, model(TRIED, OLD, rollout=CANARY, runtime=CHANGED), "test")
    await wait_until_async(
        lambda: status_of(kube, TRIED),
        lambda seen: seen.rollout and seen.rollout.state is State.ANALYSING,
    )


@contextmanager
def suspended_api_server(cluster: Cluster) -> Iterator[None]:
    """Let the API server accept requests and answer none of them during the block."""
    cluster.signal(API_SERVER, signal.SIGSTOP)
    try:
        yield
    finally:
        cluster.signal(API_SERVER, signal.SIGCONT)


async def count_rejected(audit: AuditLog, namespace: str) -> int:
    """Return how many writes of a namespace have been rejected."""
    return len(rejected_writes(audit, namespace))


async def said(operator: Process, text: str) -> bool:
    """Return whether the operator has logged *text*."""
    return operator.said(text)


def abort(cluster: Cluster) -> None:
    """Give the command as the administrator."""
    user = "--output=jsonpath={.status.userInfo.username}"
    by = cluster.kubectl("auth", "whoami", user)
    command = ("halimede.dev/command=abort@1", f"halimede.dev/command-by={by}")
    cluster.kubectl("annotate", "mdeploy", TRIED, f"--namespace={OLD}", *command)
