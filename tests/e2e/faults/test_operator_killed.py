"""The operator keeps no needed state in memory: it can be killed at any time."""

from halimede.api.status import Outcome, State
from localcluster.cluster import Cluster
from tests.e2e.faults.killable_operator import (
    KillableOperator,
    applied,
    deleted,
    routed,
    stored,
)
from tests.e2e.user import CROWD, User, kill_operator, operator_processes

PROMOTION = (
    stored(State.STARTING),
    applied("deployments", before=("services", "configmaps")),
    applied("services"),
    routed(100, 0),
    stored(State.SHIFTING),
    routed(75, 25),
    stored(State.ANALYSING),
    stored(State.PROMOTING),
    routed(10, 90),
    routed(0, 100),
    stored(State.DRAINING),
    routed(100),
    deleted("deployments"),
)
"""Kill points for each kind of write of a promotion, in order: intents and effects."""
ABORT = (
    stored(State.ABORTING),
    routed(100, 0),
    deleted("deployments"),
)
"""Kill points for the additional writes of an abort."""
SECONDS_PER_KILL = 60
"""Seconds that another replica may need to take over on a loaded machine."""
PATIENT = {
    "rollout__canary__steps": [{"weight": 25, "minSeconds": 2}],
    "rollout__progressDeadlineSeconds": 300,
}
"""Longer deadlines, because pods may lack objects while the operator is down."""


def test_another_replica_takes_over_after_each_kind_of_write(
    operator: KillableOperator, user: User
) -> None:
    """Given v1 under load, when the leader is killed after each write, the outcome is the same.

    Each time the API server has executed the write, and the leader has no response.
    """
    user.serves("v1")
    user.starts_load(CROWD)
    with user.serves_many():
        operator.kill_points += PROMOTION
        user.asks_for("v2", **PATIENT)
        promoted = user.sees(
            "v2 stable",
            lambda seen: seen.ready and seen.settled,
            within=SECONDS_PER_KILL * len(PROMOTION),
        )
        operator.wait_for_kills()
    with user.serves_many() as blamed:
        operator.kill_points += ABORT
        user.asks_for("v3", **PATIENT)
        blamed.add(user.sees("v3", lambda seen: seen.target != promoted.stable).target)
        stopped = user.sees("v3's end", lambda seen: seen.settled)
        operator.wait_for_kills()
    assert [one.after for one in (*PROMOTION, *ABORT)] == operator.killed_after
    assert user.outcomes() == [Outcome.PROMOTED, Outcome.ABORTED]
    assert promoted.stable == stopped.stable


def test_an_operator_whose_replicas_are_all_killed_goes_on(user: User, cluster: Cluster) -> None:
    """Given v2 with traffic, when all pods are killed, their next run promotes v2."""
    user.serves("v1")
    user.starts_load(CROWD)
    with user.serves_many():
        user.asks_for("v2", **PATIENT)
        user.sees("25 %", lambda seen: seen.weight == 25)
        killed = kill_operator(cluster)
        user.sees("v2 stable", lambda seen: seen.ready and seen.settled)
    running = operator_processes(cluster)
    assert running
    assert not running & killed
    assert user.outcomes() == [Outcome.PROMOTED]
