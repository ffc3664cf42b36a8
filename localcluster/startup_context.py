"""The context that a part of the cluster is started with."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from localcluster.processes import Processes


@dataclass(frozen=True, slots=True)
class StartupContext:
    """The cluster as its node agent and addons see it while it starts, from inside.

    An addon is a function ``start(stage: StartupContext) -> None``. It applies its manifests, runs
    its processes by ``stage.processes.start(Command(...))`` and returns when it serves; it raises
    ``localcluster.processes.StartError`` or ``localcluster.waiting.GaveUpError`` if that fails.
    Addons start concurrently, in threads.
    """

    name: str
    """The cluster's name."""
    directory: Path
    """The cluster's files; see ``folder``. The logs outlive the cluster."""
    kubeconfig: Path
    """Admin credentials for the API server's address inside."""
    binaries: Path
    """The folder with ``kubectl``, ``contour``, ``prometheus`` and the others by name."""
    processes: Processes
    """Starts processes and keeps them running."""

    def folder(self, part: str) -> Path:
        """Return the folder for the files of one part, created if missing."""
        folder = self.directory / part
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def kubectl(self, *arguments: str, manifest: str | None = None) -> str:
        """Run kubectl as admin with ``manifest`` on its standard input; return its output.

        Raise ``subprocess.CalledProcessError``; its ``stderr`` says why.
        """
        finished = subprocess.run(
            [self.binaries / "kubectl", "--kubeconfig", self.kubeconfig, *arguments],
            input=manifest,
            capture_output=True,
            text=True,
            check=True,
        )
        return finished.stdout
