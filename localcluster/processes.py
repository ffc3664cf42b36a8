"""Start the cluster's processes, wait until they answer, and restart those that exit."""

import http.client
import json
import logging
import os
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from localcluster.waiting import GaveUpError, Missing, show_end, wait_until

logger = logging.getLogger(__name__)

LONGEST_BACK_OFF = 10.0
"""The most seconds to wait before a process that keeps exiting is restarted."""

PROCESSES = "processes.json"
"""The file in the folder of the logs that maps names to process ids."""


class StartError(RuntimeError):
    """A part of the cluster did not start; the message shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run, and its readiness check."""

    name: str
    """Names the log file and the process in messages: ``etcd``, ``envoy``."""
    arguments: Sequence[str | Path]
    """The program and its arguments."""
    missing: Missing
    """Returns what it lacks to be ready; called often, must not raise."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of the supervisor."""
    descriptors: tuple[int, ...] = ()
    """File descriptors of the supervisor that it inherits under the same numbers."""
    patience: float = 60.0
    """Seconds until a process that runs but does not answer counts as failed."""


class Processes:
    """The processes of one cluster, each with a log file of its own."""

    def __init__(self, logs: Path) -> None:
        """Write the logs into the folder ``logs``, which is created."""
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._writing = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, command: Command) -> None:
        """Run the command and return when it is ready; from then on it is kept running.

        Raise ``StartError`` with the last lines of its log if it exits or does not answer in time.
        May be called from several threads at once.
        """
        try:
            process = self._spawn(command)
        except OSError as error:
            raise StartError(f"{command.name} cannot be run: {error}") from error

        def missing() -> str:
            last = command.missing()
            if last and (status := process.poll()) is not None:
                end = show_end(self.log(command.name))
                raise StartError(f"{command.name} exited with status {status}. {end}")
            return last

        try:
            wait_until(
                f"{command.name}'s answer", missing, command.patience, self.explain(command.name)
            )
        except GaveUpError as error:
            process.kill()
            process.wait()
            raise StartError(str(error)) from error
        threading.Thread(target=self._keep_running, args=(command,), daemon=True).start()

    def identities(self) -> dict[str, int]:
        """Return the process ids by name, as numbered in the cluster's process namespace."""
        return {name: process.pid for name, process in list(self._running.items())}

    def log(self, name: str) -> Path:
        """Return the file that the process ``name`` writes its output to."""
        return self._logs / f"{name}.log"

    def explain(self, *names: str) -> Callable[[], str]:
        """Return a function that returns the ends of the logs of these processes."""
        return lambda: "\n".join(show_end(self.log(name)) for name in names)

    def _spawn(self, command: Command) -> subprocess.Popen[bytes]:
        with self.log(command.name).open("ab") as log:
            process = subprocess.Popen(
                [os.fspath(argument) for argument in command.arguments],
                env={**os.environ, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=command.descriptors,
            )
        self._running[command.name] = process
        self._write_identities()
        return process

    def _write_identities(self) -> None:
        """Write the ids of all processes beside the logs, for `Cluster.signal`."""
        with self._writing:
            aside = self._logs / ".processes"
            aside.write_text(json.dumps(self.identities()))
            aside.replace(self._logs / PROCESSES)

    def _keep_running(self, command: Command) -> None:
        back_off = 0.5
        while True:
            started = time.monotonic()
            status = self._running[command.name].wait()
            if time.monotonic() - started > LONGEST_BACK_OFF:
                back_off = 0.5
            logger.warning(
                "%s exited with status %s, starts again in %s s",
                command.name,
                status,
                back_off,
            )
            time.sleep(back_off)
            back_off = min(2 * back_off, LONGEST_BACK_OFF)
            self._spawn(command)


def nothing_missing() -> str:
    """Return that nothing is missing: the process is ready as soon as it runs."""
    return ""


def answers(url: str) -> Missing:
    """Return a probe of ``url``: why it does not answer with success, whatever its certificate."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE

    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusting))

    def probe() -> str:
        try:
            with opener.open(url, timeout=2):
                return ""
        except (OSError, http.client.HTTPException) as error:
            return f"{url}: {error or type(error).__name__}"

    return probe
