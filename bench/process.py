"""Run the operator in the cluster's namespaces, and read its resource usage."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcluster.addresses import API_SERVER
from localcluster.cluster import Cluster

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """The resource usage of a process since its start."""

    cpu_seconds: float
    peak_mebibytes: float
    mebibytes: float
    """Resident memory now."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process inside the cluster's namespaces."""

    pid: int
    """The process ID outside the cluster's namespaces."""

    def usage(self) -> Usage:
        """Read the resource usage. Source: proc(5), `stat` and `status`."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        status = Path(f"/proc/{self.pid}/status").read_text()
        lines = dict(line.split(":", 1) for line in status.splitlines())
        peak, now = (int(lines[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
        return Usage(_cpu_seconds(stat), peak, now)


def api_server_cpu_seconds(cluster: Cluster) -> float:
    """Return the processor time that the API server has taken since its start."""
    stat = f"/proc/{cluster.processes()['kube-apiserver']}/stat"
    read = subprocess.run(cluster.inside("cat", stat), stdout=subprocess.PIPE, check=True)
    return _cpu_seconds(read.stdout.decode())


def _cpu_seconds(stat: str) -> float:
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def kubeconfig_inside(cluster: Cluster) -> Path:
    """Write a kubeconfig for use inside the namespaces, so that no forwarder is measured."""
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    config["clusters"][0]["cluster"]["server"] = API_SERVER
    path = cluster.directory / "bench.kubeconfig"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path


@contextmanager
def operator(cluster: Cluster, environment: dict[str, str], log: Path) -> Iterator[Running]:
    """Run `halimede run` during a with block; its output is written to *log*."""
    command = cluster.inside(sys.executable, "-m", "halimede", "run")
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield Running(_wait_for_operator(process))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _wait_for_operator(process: subprocess.Popen[bytes]) -> int:
    """Return the last descendant, which is the operator: entering namespaces takes a few forks."""
    pid = process.pid
    while process.poll() is None:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            pid = int(children[0])
        elif Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:3] == [b"-m", b"halimede"]:
            return pid
        else:
            time.sleep(0.01)
    raise RuntimeError("the operator exited immediately; see its log")
