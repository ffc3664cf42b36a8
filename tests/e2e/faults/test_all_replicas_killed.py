"""The operator keeps no needed state in memory: all its replicas can be killed at once."""

from halimede.api.status import Outcome
from localcluster.cluster import Cluster
from tests.e2e.user import CROWD, User, kill_operator, operator_processes

QUARTER = [{"weight": 25, "minSeconds": 2}]


def test_an_operator_whose_replicas_are_all_killed_goes_on(user: User, cluster: Cluster) -> None:
    """Given v2 with traffic, when all pods are killed, their next run promotes v2."""
    user.serves("v1")
    user.starts_load(CROWD)
    with user.serves_many():
        user.asks_for("v2", rollout__canary__steps=QUARTER)
        user.sees("25 %", lambda seen: seen.weight == 25)
        killed = kill_operator(cluster)
        user.sees("v2 stable", lambda seen: seen.ready and seen.settled)
    running = operator_processes(cluster)
    assert running
    assert not running & killed
    assert user.outcomes() == [Outcome.PROMOTED]
