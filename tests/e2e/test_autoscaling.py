"""Autoscaling by the real controller-manager, with a metric that the test sets."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from halimede.api.base import Manifest
from halimede.api.status import Outcome
from localcluster.addresses import CLUSTER_IP
from localcluster.cluster import Cluster
from tests.e2e.external_metrics import METRIC
from tests.e2e.user import NAME, User
from tests.support.waiting import wait_until

SERVER = Path(__file__).with_name("external_metrics.py")
PORT = 19443
GROUP = "external.metrics.k8s.io"
SCALED = {
    "minReplicas": 1,
    "maxReplicas": 3,
    "metrics": [
        {
            "type": "External",
            "external": {
                "metric": {"name": METRIC},
                "target": {"type": "AverageValue", "averageValue": "10"},
            },
        }
    ],
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
}
"""An autoscaler with one pod per ten queued requests and no delay."""
SetQueue = Callable[[int], None]


@pytest.fixture
def queue(cluster: Cluster) -> Iterator[SetQueue]:
    """Serve the queue length as a metric; yield a function that sets it."""
    keys = cluster.directory / "credentials"
    server = subprocess.Popen(
        cluster.inside(
            sys.executable, SERVER, CLUSTER_IP, str(PORT), keys / "tls.crt", keys / "tls.key"
        ),
        stdin=subprocess.PIPE,
        text=True,
    )
    for manifest in _registration():
        cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(manifest))

    def set_queue(length: int) -> None:
        assert server.stdin is not None
        server.stdin.write(f"{length}\n")
        server.stdin.flush()

    with server:
        set_queue(0)
        cluster.kubectl(
            "wait", "--for=condition=Available", f"apiservice/v1beta1.{GROUP}", "--timeout=180s"
        )
        yield set_queue
        cluster.kubectl("delete", "apiservice", f"v1beta1.{GROUP}")


def test_a_rollout_freezes_the_way_down_and_hands_the_replicas_over(
    user: User, queue: SetQueue
) -> None:
    """Given three pods of v1, when the queue shortens in a rollout, then all three stay.

    A canary takes load off the stable revision, which must be able to take it back at once. After
    the promotion the autoscaler scales v2, from as many pods as v1 had, and down again.
    """
    queue(30)
    user.asks_for("v1", autoscaling=SCALED)
    stable = user.sees("v1 Ready", lambda seen: seen.ready).stable
    user.starts_load()
    wait_until(lambda: _replicas(user, stable), lambda seen: seen == 3, explain=user.explain)
    steps = [{"weight": 25, "minSeconds": 600, "maxSeconds": 600}]
    user.asks_for("v2", autoscaling=SCALED, rollout__canary__steps=steps)
    canary = user.sees("25 %", lambda seen: seen.weight == 25).target
    queue(10)
    wait_until(lambda: _average(user), lambda seen: seen == "3334m", explain=user.explain)
    frozen = _get(user, f"hpa/{NAME}")
    assert frozen["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Disabled"
    assert (f"{NAME}-{stable}", 3) == (_target(frozen), _replicas(user, stable))
    queue(30)
    user.commands("promote-full")
    over = user.sees("v2 stable", lambda seen: seen.ready and seen.settled)
    assert (canary, [Outcome.FAST_PROMOTED]) == (over.stable, user.outcomes())
    assert (f"{NAME}-{canary}", 3) == (_target(_get(user, f"hpa/{NAME}")), _replicas(user, canary))
    queue(10)
    wait_until(lambda: _replicas(user, canary), lambda seen: seen == 1, explain=user.explain)
    user.load.stop()
    assert user.errors() == []


def _registration() -> tuple[Manifest, Manifest]:
    """Return the APIService and Service of the metric; an external name avoids the proxy."""
    place = {"name": "external-metrics", "namespace": "kube-system"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": place,
        "spec": {"type": "ExternalName", "externalName": CLUSTER_IP, "ports": [{"port": PORT}]},
    }
    registration = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1beta1.{GROUP}"},
        "spec": {
            "group": GROUP,
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {**place, "port": PORT},
        },
    }
    return service, registration


def _get(user: User, what: str) -> Manifest:
    manifest: Manifest = json.loads(user.kubectl("get", what, "--output", "json"))
    return manifest


def _replicas(user: User, revision: str) -> int:
    count: int = _get(user, f"deployment/{NAME}-{revision}")["spec"]["replicas"]
    return count


def _target(scaler: Manifest) -> str:
    name: str = scaler["spec"]["scaleTargetRef"]["name"]
    return name


def _average(user: User) -> str | None:
    """Return the metric that the autoscaler last read: the queue length per pod."""
    seen = _get(user, f"hpa/{NAME}")["status"].get("currentMetrics") or [{}]
    value: str | None = seen[0].get("external", {}).get("current", {}).get("averageValue")
    return value
