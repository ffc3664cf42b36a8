"""An operator whose leader is killed, or suspended, right after chosen writes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from halimede.api.status import State
from localcluster.chart import NAMESPACE
from localcluster.cluster import Cluster
from localcluster.diagnosis import kubectl_in
from localcluster.waiting import show_end
from tests.e2e.faults.api_proxy import Write, proxy_api_server
from tests.support.waiting import wait_until

DEPLOYMENT = "deployment/halimede"
LEASE_SECONDS = 6
"""The shortest duration of the Lease: each kill costs about as much."""


@dataclass(frozen=True, slots=True)
class KillPoint:
    """A write after which the operator is killed."""

    after: str
    hits: Callable[[Write], bool]
    holds: frozenset[str] = frozenset()
    """Resources whose writes are blocked, because they are sent concurrently with this one."""
    state: State | None = None
    """The state that the write stores; None: it stores none."""
    suspends: bool = False
    """Whether the operator is suspended instead, and continues with the response later."""


def stored(state: State) -> KillPoint:
    """Kill when this state is stored and nothing else of the pass is written."""

    def hits(write: Write) -> bool:
        rollout = write.body.get("status", {}).get("rollout") or {}
        return write.resource == "modeldeployments/status" and rollout.get("state") == state

    return KillPoint(f"the status {state}", hits, state=state)


def suspended(point: KillPoint) -> KillPoint:
    """Suspend the operator where it would be killed."""
    return replace(point, suspends=True)


def applied(resource: str, *, before: Sequence[str] = ()) -> KillPoint:
    """Kill when an object is applied, before the others of the same pass."""
    return KillPoint(
        f"applying {resource}",
        lambda write: (write.method, write.resource) == ("PATCH", resource),
        frozenset(before),
    )


def deleted(resource: str) -> KillPoint:
    """Kill when an object is deleted."""
    return KillPoint(
        f"deleting {resource}",
        lambda write: (write.method, write.resource) == ("DELETE", resource),
    )


def routed(*weights: int) -> KillPoint:
    """Kill when the route has these weights, the stable revision's first."""

    def hits(write: Write) -> bool:
        if write.resource != "httproutes" or write.method != "PATCH":
            return False
        backends = write.body["spec"]["rules"][0]["backendRefs"]
        return weights == tuple(one["weight"] for one in backends)

    return KillPoint(f"the weights {weights}", hits)


@dataclass(slots=True)
class Replica:
    """One process of the operator, with a proxy of its own; it starts again after each kill."""

    operator: "KillableOperator"
    log: Path
    process: subprocess.Popen[bytes] | None = None
    sent: list[Write] = field(default_factory=list)
    """Its writes, except those of the Lease, whether the API server executed them or not."""
    suspended: bool = False
    _ended: bool = False

    def admit(self, write: Write) -> bool:
        """Block the writes that are sent concurrently with the one of the next kill."""
        if write.resource != "leases":
            self.sent.append(write)
        return self.operator.admit(write)

    def done(self, write: Write) -> bool:
        """Kill -9 after the write of a kill point, before the operator gets its response."""
        return self.operator.done(write, self)

    def run(self, environment: dict[str, str]) -> None:
        """Run, and start again after each kill, until `end`."""
        while not self._ended:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "halimede", "run"],
                    env=environment,
                    stdout=log,
                    stderr=log,
                )
            self.process.wait()

    def kill(self) -> None:
        """Kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def suspend(self) -> None:
        """Suspend the process, as a machine that is paused does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        self.suspended = True

    def resume(self) -> None:
        """Let the process continue where it was suspended."""
        assert self.process is not None
        self.suspended = False
        self.process.send_signal(signal.SIGCONT)

    def said(self, text: str) -> bool:
        """Return whether it has logged *text*."""
        return text in self.log.read_text()

    def end(self) -> None:
        """Kill it without a restart."""
        self._ended = True
        self.kill()


@dataclass(slots=True)
class KillableOperator:
    """Two replicas outside the cluster; the one that leads is killed at these points in order."""

    kill_points: list[KillPoint] = field(default_factory=list)
    killed_after: list[str] = field(default_factory=list)
    """The writes after which it was killed or suspended."""
    replicas: list[Replica] = field(default_factory=list)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, write: Write) -> bool:
        """Block the writes that are sent concurrently with the one of the next kill."""
        with self._turn:
            return not (self.kill_points and write.resource in self.kill_points[0].holds)

    def done(self, write: Write, writer: Replica) -> bool:
        """Kill or suspend the writer if this is the write of the next kill point."""
        with self._turn:
            if not (self.kill_points and self.kill_points[0].hits(write)):
                return True
            point = self.kill_points.pop(0)
            self.killed_after.append(point.after)
            if point.suspends:
                writer.suspend()
                return True
            writer.kill()
            return False

    def wait_for_kills(self) -> None:
        """Wait until every kill has happened; fail with the remaining ones."""
        wait_until(
            lambda: [one.after for one in self.kill_points],
            lambda left: not left,
            explain=lambda: "\n".join(show_end(replica.log) for replica in self.replicas),
        )


@contextmanager
def start_killable_operator(cluster: Cluster, folder: Path) -> Iterator[KillableOperator]:
    """Run two replicas with the permissions and settings of the chart, instead of its pods."""
    environment, operator = _environment(cluster), KillableOperator()
    before = _scale(cluster, 0)
    with ExitStack() as stack:
        for number in range(2):
            replica = Replica(operator, folder / f"halimede-{number}.log")
            operator.replicas.append(replica)
            url = stack.enter_context(proxy_api_server(_server(cluster), replica))
            kubeconfig = folder / f"kubeconfig-{number}"
            kubeconfig.write_text(json.dumps(_kubeconfig(cluster, url)))
            settings = environment | {"KUBECONFIG": str(kubeconfig)}
            thread = threading.Thread(
                target=replica.run, args=[settings], name=f"replica {number}"
            )
            thread.start()
            stack.callback(thread.join)
            stack.callback(replica.end)
        yield operator
    _scale(cluster, before)


def _scale(cluster: Cluster, replicas: int) -> int:
    """Scale the operator's Deployment and wait; return its replicas before."""
    before = int(_kubectl(cluster, "get", DEPLOYMENT, "--output", "jsonpath={.spec.replicas}"))
    _kubectl(cluster, "scale", DEPLOYMENT, f"--replicas={replicas}")
    if replicas:
        _kubectl(cluster, "rollout", "status", DEPLOYMENT, "--timeout=180s")
    else:
        _kubectl(cluster, "wait", "--for=delete", "pods", "--all", "--timeout=180s")
    return before


def _environment(cluster: Cluster) -> dict[str, str]:
    """Return the chart's settings, with the addresses that work outside the cluster."""
    deployment = json.loads(_kubectl(cluster, "get", DEPLOYMENT, "--output", "json"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {
        **os.environ,
        **{one["name"]: one.get("value", "") for one in container["env"]},
        "HALIMEDE_PROMETHEUS_URL": cluster.prometheus_url,
        "HALIMEDE_HTTP_PORT": "0",
        "HALIMEDE_LEASE_SECONDS": str(LEASE_SECONDS),
    }


def _server(cluster: Cluster) -> str:
    url: str = _config(cluster)["clusters"][0]["cluster"]["server"]
    return url


def _kubeconfig(cluster: Cluster, server: str) -> dict[str, Any]:
    """Return a kubeconfig of the operator's service account for ``server``."""
    config = _config(cluster)
    config["clusters"][0]["cluster"] = {"server": server}
    token = _kubectl(cluster, "create", "token", "halimede").strip()
    config["users"][0]["user"] = {"token": token}
    return config


def _config(cluster: Cluster) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(
        cluster.kubectl("config", "view", "--raw", "--output", "json")
    )
    return config


def _kubectl(cluster: Cluster, *arguments: str) -> str:
    return kubectl_in(cluster, NAMESPACE, *arguments)
