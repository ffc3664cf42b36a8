"""A canary with traffic that loses every pod: the route changes before the next poll."""

import json
import signal
import subprocess
import time

from harness.changes import ENDPOINT_SLICES, HTTP_ROUTES, Changes, ready_endpoints, weights
from harness.records import Outcome as Answer
from harness.watch import Snapshot
from tests.e2e.user import CROWD, User

SELDOM = {"intervalSeconds": 300, "warmupSeconds": 2, "settleSeconds": 2}
"""An analysis every five minutes, so any earlier change is caused by an event."""
SOONER_SECONDS = 10.0


def test_traffic_is_shed_by_the_event_and_comes_back_with_the_pod(user: User) -> None:
    """Given v2 at 25 %, when its only pod is killed, then v1 gets all traffic at once.

    Requests of v2 may fail until then. Once the status reports the new weight as live, no request
    fails, and v2 gets its weight back when it is ready again.
    """
    user.serves("v1")
    user.starts_load(CROWD)
    with (
        user.serves_many() as blamed,
        Changes(user.cluster.kubeconfig, user.namespace, ENDPOINT_SLICES) as slices,
        Changes(user.cluster.kubeconfig, user.namespace, HTTP_ROUTES) as routes,
    ):
        steps = [{"weight": 25, "minSeconds": 600, "maxSeconds": 600}]
        asked = {"steps": steps, "bakeSeconds": 0}
        user.asks_for("v2", rollout__canary=asked, rollout__analysis=SELDOM)
        canary = user.sees("25 %", lambda seen: _live_at(seen, 25)).target
        blamed.add(canary)
        killed = time.time()
        _kill_pods(user, canary)
        shed = user.sees("the shed", lambda seen: _live_at(seen, 0))
        user.sees("the share again", lambda seen: _live_at(seen, 25))
        gone = slices.first(lambda one: ready_endpoints(one, canary) == 0, killed)
        moved = routes.first(lambda one: weights(one)[canary] == 0, killed)
    assert gone.at < moved.at < gone.at + SOONER_SECONDS
    assert [one for one in user.errors() if one.at > shed.at] == []
    later = [one for one in user.requests() if one.at > user.watch.history[-1].at]
    assert canary in {one.revision for one in later if one.outcome is Answer.OK}


def _live_at(seen: Snapshot, weight: int) -> bool:
    rollout = seen.status.rollout
    return rollout is not None and rollout.weight == weight and bool(rollout.weight_applied_at)


def _kill_pods(user: User, revision: str) -> None:
    """Kill -9 the Triton of every pod of a revision."""
    listed = user.kubectl(
        "get", "pods", "--selector", f"halimede.dev/revision={revision}", "--output", "json"
    )
    for pod in json.loads(listed)["items"]:
        (container,) = pod["status"]["containerStatuses"]
        # The local node names a container by its process, as the cluster numbers it.
        pid = container["containerID"].rpartition("-")[2]
        kill = user.cluster.inside("kill", f"-{signal.SIGKILL.value}", pid)
        subprocess.run(kill, check=True)
