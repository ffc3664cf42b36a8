"""Start, find and end local clusters."""

import contextlib
import json
import os
import platform
import re
import select
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from localcluster import build, folders, state_file
from localcluster.access import Access, ClusterError, current
from localcluster.cluster_spec import Part
from localcluster.launch import ClusterRequest, launch
from localcluster.processes import PROCESSES
from localcluster.progress import Progress, Tell
from localcluster.state_file import StateFile

__all__ = ["Access", "Cluster", "ClusterError", "Part", "current", "find", "running", "up"]


@dataclass(frozen=True, slots=True)
class Cluster(Access):
    """A running local cluster, seen from outside its namespaces."""

    directory: Path
    """Its files: ``logs``, ``audit.log``, ``kubeconfig``."""
    binaries: Path
    """The folder of ``kubectl``, ``helm`` and the others."""
    pid: int
    """Its process 1, as numbered outside; everything else ends with it."""
    lifeline: int | None = field(default=None, repr=False)
    """For a bound cluster: closing this pipe ends it."""

    @property
    def audit_log(self) -> Path:
        """The audit log of the requests of users and workloads: one JSON object a line."""
        return self.directory / "audit.log"

    def inside(self, *command: str | Path) -> list[str | Path]:
        """Return a command that runs ``command`` in the cluster's namespaces, as root there.

        The addresses of pods and those of `localcluster.addresses` work there.
        """
        # The package must be found wherever the command is run.
        find = f"import sys; sys.path.insert(0, {str(folders.SOURCE.parent)!r})"
        enter = (
            "from localcluster.nsenter import main; sys.exit(main(int(sys.argv[1]), sys.argv[2:]))"
        )
        return [sys.executable, "-c", f"{find}; {enter}", str(self.pid), *command]

    def processes(self) -> dict[str, int]:
        """Return the ids of the cluster's own processes by name, as numbered inside."""
        identities: dict[str, int] = json.loads((self.directory / "logs" / PROCESSES).read_text())
        return identities

    def signal(self, process: str, number: signal.Signals) -> None:
        """Send a signal to one of `processes`; a process that it ends is restarted soon."""
        identity = str(self.processes()[process])
        subprocess.run(self.inside("kill", f"-{number.value}", identity), check=True)

    def down(self) -> None:
        """End the cluster; return when none of its processes is left. Its logs stay."""
        with contextlib.suppress(ProcessLookupError):
            process = os.pidfd_open(self.pid)
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [])
            os.close(process)
        if self.lifeline is not None:
            os.close(self.lifeline)
        state_file.forget(self.directory)

    def __enter__(self) -> Self:
        """Use the cluster for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it with the block."""
        self.down()


def up(
    name: str,
    *,
    bound: bool = True,
    kwok_nodes: int = 0,
    parts: Collection[Part] = tuple(Part),
    api_server: Sequence[str] = (),
    progress: Tell | None = None,
) -> Cluster:
    """Build what is missing, start a cluster and return when it serves.

    A bound cluster ends with the calling process, even if that is killed; an unbound one stays
    until `Cluster.down`. ``kwok_nodes`` is the number of simulated nodes to add, see
    `localcluster.kwok`. ``api_server`` has further arguments of the API server. ``progress`` is
    called with each line of progress; without it, progress is shown on the terminal. Raise
    ``ClusterError`` or ``build.BuildError``.
    """
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?", name):
        raise ClusterError(
            f"the name {name!r} is invalid: use lower-case letters, digits and inner hyphens"
        )
    if platform.system() != "Linux":
        raise ClusterError(
            "the local cluster needs Linux: run this in a virtual machine, or use a cluster of "
            "your own (CLUSTER=current)"
        )
    reporter = Progress(progress)
    try:
        binaries = build.build(_tools(parts, kwok_nodes), reporter)
        with reporter.step(f"Starting cluster {name}", expected="about 15 s") as tell:
            request = ClusterRequest(name, binaries, parts, kwok_nodes, bound, tuple(api_server))
            lifeline = launch(request, tell)
    except OSError as error:
        raise ClusterError(f"the cluster {name} cannot be started: {error}") from error
    started = find(name)
    return replace(started, lifeline=lifeline)


def find(name: str) -> Cluster:
    """Return the running cluster of that name. Raise ``ClusterError`` if there is none."""
    directory = folders.clusters() / name
    state = StateFile.read(directory) if state_file.is_running(directory) else None
    if state is None:
        raise ClusterError(
            f"no cluster named {name} is running: `python -m localcluster list` shows all"
        )
    binaries = Path(state.binaries)
    return Cluster(
        name=name,
        kubeconfig=directory / "kubeconfig",
        gateway=("127.0.0.1", state.ports["gateway"]),
        prometheus_url=f"http://127.0.0.1:{state.ports['prometheus']}",
        kubectl_program=binaries / "kubectl",
        helm_program=binaries / "helm",
        directory=directory,
        binaries=binaries,
        pid=state.pid,
    )


def running() -> Iterator[Cluster]:
    """Yield the clusters that are running."""
    for directory in state_file.running():
        with contextlib.suppress(ClusterError):
            yield find(directory.name)


def _tools(parts: Collection[Part], kwok_nodes: int) -> tuple[build.Tool, ...]:
    """Return the programs that must be built."""
    tools = {
        build.CONTROL_PLANE: True,
        build.CONTOUR: Part.GATEWAY in parts,
        build.HELM: True,
        build.KWOK: kwok_nodes > 0,
        build.PROMETHEUS: Part.PROMETHEUS in parts,
    }
    return tuple(tool for tool, needed in tools.items() if needed)
