"""Start a cluster's supervisor and wait until it reports that everything runs."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from localcluster import folders, namespace, state_file
from localcluster.access import ClusterError
from localcluster.cluster_spec import ClusterSpec, Part, listen
from localcluster.progress import Tell
from localcluster.state_file import StateFile
from localcluster.waiting import show_end

USES = ("api", "gateway", "prometheus")
"""The services that can be reached from outside; each gets a port."""

START_SECONDS = 300
"""The most seconds that a start may take. Each part of it has a shorter limit of its own."""


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """What a caller asks of a new cluster; `ClusterSpec` adds its ports and pipes."""

    name: str
    binaries: Path
    parts: Collection[Part]
    kwok_nodes: int
    bound: bool
    api_server: tuple[str, ...] = ()


def launch(request: ClusterRequest, tell: Tell) -> int | None:
    """Start a cluster and return when it serves; its `StateFile` is written then.

    A bound cluster ends when the descriptor returned is closed, as the kernel does when this
    process ends. ``tell`` is called with what is being waited for. Raise ``ClusterError``.
    """
    # On any error the stack closes the lifeline, which ends the cluster.
    with contextlib.ExitStack() as ours:
        directory, lock = state_file.claim(request.name)
        ours.callback(os.close, lock)
        sockets = {use: ours.enter_context(_listening()) for use in USES}
        lifeline, write_end = os.pipe()
        ours.callback(os.close, lifeline)
        ours.callback(os.close, write_end)
        answers, teller = os.pipe()
        order = ClusterSpec(
            name=request.name,
            directory=directory,
            binaries=request.binaries,
            parts=frozenset(request.parts),
            kwok_nodes=request.kwok_nodes,
            api_server=request.api_server,
            ports={use: made.getsockname()[1] for use, made in sockets.items()},
            sockets={use: made.fileno() for use, made in sockets.items()},
            lifeline=lifeline,
            teller=teller,
        )
        _run_supervisor(order, lock)
        pid = _await_ready(answers, directory, tell, START_SECONDS)
        StateFile(pid, order.ports, str(request.binaries), request.bound).write(directory)
        if request.bound:
            return os.dup(write_end)
        os.write(write_end, namespace.STAY)
        return None


def _run_supervisor(order: ClusterSpec, lock: int) -> None:
    """Run the supervisor until it has forked process 1 and ended, which orphans process 1."""
    try:
        with (order.directory / "logs" / "supervisor.log").open("wb") as log:
            subprocess.run(
                [sys.executable, "-m", "localcluster.supervisor", order.to_json()],
                cwd=folders.SOURCE.parent,
                pass_fds=(order.lifeline, order.teller, lock, *order.sockets.values()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=False,
            )
    finally:
        # Only the cluster has it open from now on: the messages end when the cluster ends.
        os.close(order.teller)


def _await_ready(answers: int, directory: Path, tell: Tell, within: float) -> int:
    """Return the id of process 1 once everything runs.

    The messages end when the cluster has ended: the kernel closes their pipe after that.
    """
    pid = 0
    doing = "the supervisor"
    why = ""
    try:
        for message in listen(answers, within):
            if "born" in message:
                pid = message["born"]
            elif "doing" in message:
                doing = message["doing"]
                tell(doing)
            elif "ready" in message:
                return pid
            else:
                why = message["failed"]
    except TimeoutError:
        why = f"after {within:g} s it is still waiting for {doing}"
    if not why:
        why = "the supervisor ended without a message"
    end = show_end(directory / "logs" / "supervisor.log")
    raise ClusterError(f"the cluster {directory.name} did not start: {why}\n{end}")


def _listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=128)
