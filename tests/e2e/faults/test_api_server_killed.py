"""An outage of the API server in a rollout does not affect the data plane."""

import signal

from halimede.api.status import Outcome
from localcluster.cluster import Cluster
from tests.e2e.user import CROWD, NAME, User, operator_processes


def test_a_rollout_goes_on_when_the_api_server_is_back(user: User, cluster: Cluster) -> None:
    """Given v2 with traffic, when the API server is killed, then it is still promoted.

    The operator survives and watches again: children deleted by hand later come back.
    """
    user.serves("v1")
    user.starts_load(CROWD)
    with user.serves_many():
        user.asks_for("v2")
        user.sees("the canary's second step", lambda seen: seen.weight == 30)
        operators, killed = operator_processes(cluster), cluster.processes()["kube-apiserver"]
        cluster.signal("kube-apiserver", signal.SIGKILL)
        over = user.sees("the end", lambda seen: seen.ready and seen.settled)
    assert killed != cluster.processes()["kube-apiserver"]
    assert operators == operator_processes(cluster)
    assert over.status.last_rollout is not None
    assert over.status.last_rollout.outcome is Outcome.PROMOTED
    budget = f"poddisruptionbudget/{NAME}"
    user.kubectl("delete", budget)
    user.kubectl("wait", "--for=create", budget, "--timeout=180s")
