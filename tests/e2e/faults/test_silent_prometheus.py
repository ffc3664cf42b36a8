"""An outage of Prometheus holds a rollout and ends it in no other way."""

import signal

from halimede.api.reasons import Reason
from halimede.api.status import Outcome
from localcluster.cluster import Cluster
from tests.e2e.user import CROWD, User, ready


def test_a_silent_prometheus_holds_the_weight_and_is_said(user: User, cluster: Cluster) -> None:
    """Given a canary, when Prometheus is down, then the weight stays until it is back."""
    user.serves("v1")
    user.starts_load(CROWD)
    with user.serves_many():
        user.asks_for("v2")
        weighed = user.sees("the first weight", lambda seen: seen.weight > 0)
        cluster.signal("prometheus", signal.SIGSTOP)
        try:
            holding = user.sees(
                "MetricsHold", lambda seen: ready(seen).reason == Reason.METRICS_HOLD
            )
        finally:
            cluster.signal("prometheus", signal.SIGCONT)
        over = user.sees("the end", lambda seen: seen.settled)
    assert weighed.weight == holding.weight
    assert ready(holding).status == "Unknown"
    assert "Prometheus" in ready(holding).message
    assert over.status.last_rollout is not None
    assert over.status.last_rollout.outcome == Outcome.PROMOTED
