"""An operator whose leader is killed, or suspended, right after chosen writes."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcluster.chart import NAMESPACE
from localcluster.cluster import Cluster
from localcluster.diagnosis import kubectl_in
from localcluster.waiting import show_end
from tests.e2e.faults.api_proxy import Write, proxy_api_server
from tests.e2e.faults.kill_points import KillPoint
from tests.support.waiting import wait_until

DEPLOYMENT = "deployment/halimede"
LEASE_SECONDS = 6
"""The shortest duration of the Lease: each kill costs about as much."""


@dataclass(slots=True)
class Replica:
    """One process of the operator, with a proxy of its own; it starts again after each kill."""

    operator: "KillableOperator"
    log: Path
    process: subprocess.Popen[bytes] | None = None
    sent: list[Write] = field(default_factory=list)
    """Its writes, except those of the Lease, whether the API server executed them or not."""
    suspended: bool = False
    _log_begin: int = 0
    """Where the log of the present process begins."""
    _ended: bool = False

    @property
    def stands_by(self) -> bool:
        """Whether it has started, and leads or waits for the Lease."""
        return self.said("Synced")

    def admit(self, write: Write) -> bool:
        """Record a write; block one of the Lease while the other replica is to take it."""
        if write.resource != "leases":
            self.sent.append(write)
            return True
        return self.operator.may_lead(self)

    def done(self, write: Write) -> bool:
        """Kill -9 after the write of a kill point, before the operator gets its response."""
        return self.operator.done(write, self)

    def run(self, environment: dict[str, str]) -> None:
        """Run, and start again after each kill, until `end`."""
        while not self._ended:
            with self.log.open("ab") as log:
                self._log_begin = log.tell()
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "halimede", "run"],
                    env=environment,
                    stdout=log,
                    stderr=log,
                )
            if self._ended:
                self.process.kill()
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
        """Return whether the present process has logged *text*."""
        if not self.log.exists():
            return False
        return text.encode() in self.log.read_bytes()[self._log_begin :]

    def end(self) -> None:
        """Kill it without a restart."""
        self._ended = True
        self.kill()


@dataclass(slots=True)
class KillableOperator:
    """Two replicas outside the cluster; the one that leads is killed at these points in order."""

    replicas: list[Replica] = field(default_factory=list)
    _kill_points: list[KillPoint] = field(default_factory=list)
    """The points that are still to come."""
    _killed: Replica | None = None
    """The replica that was killed last, until the other one has taken the Lease."""
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def loses_its_leader(self, *points: KillPoint) -> Iterator[None]:
        """Kill or suspend the leader at these points, in order; wait after the block for all."""
        with self._turn:
            self._kill_points[:] = points
        try:
            yield
            wait_until(lambda: [one.after for one in self._kill_points], lambda left: not left)
        except AssertionError as error:
            error.add_note(self._show_logs())
            raise
        finally:
            with self._turn:
                self._kill_points.clear()

    def may_lead(self, replica: Replica) -> bool:
        """Return whether a replica may take or renew the Lease.

        One that was killed starts again within the Lease's duration, so it could be first.
        """
        return replica is not self._killed

    def done(self, write: Write, writer: Replica) -> bool:
        """Kill or suspend the writer if this is the write of the next kill point."""
        with self._turn:
            if write.resource == "leases" and writer is not self._killed:
                self._killed = None
            if not (self._kill_points and self._kill_points[0].hits(write)):
                return True
            # Without this the next replica could only take the Lease some time after its start.
            wait_until(self._all_stand_by)
            if self._kill_points.pop(0).suspends:
                writer.suspend()
                return True
            writer.kill()
            self._killed = writer
            return False

    def _all_stand_by(self) -> bool:
        return all(replica.stands_by for replica in self.replicas)

    def _show_logs(self) -> str:
        return "\n".join(show_end(replica.log) for replica in self.replicas)


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
