"""The operator keeps nothing in memory that it needs: kill it when you like."""

import random
import threading
import time

import pytest

from halimede.api.status import Outcome
from local.chart import NAMESPACE
from local.cluster import Cluster
from tests.e2e.user import User, kill_operator, operator_process

KILLS = 3
BACK_OFF_SECONDS = 90
"""How long a killed operator may take to be started again: the kubelet backs off 10 s, 20 s, …"""


@pytest.fixture(autouse=True)
def fresh_operator(cluster: Cluster) -> None:
    """A pod that was never killed, so that no earlier test's back-off is left."""
    restart = ("rollout", "restart", "deployment/halimede")
    cluster.kubectl("--namespace", NAMESPACE, *restart)
    cluster.kubectl(
        "--namespace", NAMESPACE, "rollout", "status", "deployment/halimede", "--timeout=60s"
    )


@pytest.mark.parametrize(
    ("version", "outcome"),
    [
        pytest.param("v2", Outcome.PROMOTED, id="a-good-revision-is-promoted-all-the-same"),
        pytest.param("v3", Outcome.ABORTED, id="a-bad-revision-is-stopped-all-the-same"),
    ],
)
def test_three_kills_change_no_outcome_and_lose_no_request(
    user: User, cluster: Cluster, version: str, outcome: Outcome
) -> None:
    """Given v1 under load, when the operator is killed thrice meanwhile, then it ends as ever."""
    stable = user.serves("v1")
    user.starts_load()
    user.asks_for(version)
    user.sees("a rollout", lambda seen: seen.status.rollout is not None)
    moments = random.Random(20)
    for _ in range(KILLS):
        threading.Event().wait(moments.uniform(0.0, 6.0))
        killed = kill_operator(cluster)
        _comes_back(cluster, killed)
    over = user.sees("the end", lambda seen: seen.settled, within=150)
    user.waits_for_requests(80)
    user.load.stop()
    last = over.status.last_rollout
    assert last is not None
    assert outcome == last.outcome
    assert (over.stable == stable) == (outcome is Outcome.ABORTED)
    assert user.lost() == []
    assert {version} >= {one.version for one in user.errors()}


def _comes_back(cluster: Cluster, killed: int) -> None:
    deadline = time.monotonic() + BACK_OFF_SECONDS
    while operator_process(cluster) in (None, killed):
        assert time.monotonic() < deadline, "the operator was not started again"
        threading.Event().wait(0.1)
