"""Run the wheel's Triton on loopback for one version of the demo's model."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.models import Version
from localcluster.triton import Triton
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Server:
    """A tritonserver on loopback that serves one version."""

    process: subprocess.Popen[bytes]
    http: str
    grpc: str
    log: Path

    def ready(self) -> bool:
        """Wait until it serves its model; return False if it ended."""
        wait_until(
            lambda: (self._answers(), self.process.poll()),
            lambda seen: seen != (False, None),
            explain=self.log.read_text,
        )
        return self.process.poll() is None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.http}/v2/health/ready", timeout=5):
                return True
        except OSError:
            return False


@contextmanager
def served(triton: Triton, version: Version, folder: Path, *further: str) -> Iterator[Server]:
    """Start a server with only ``version`` in its repository, and with further arguments."""
    version.write(folder / "models" / "digits" / "1")
    http, grpc = _free_port(), _free_port()
    log = folder / "triton.log"
    arguments = [
        triton.tree / "bin" / "tritonserver",
        f"--model-repository={folder / 'models'}",
        f"--backend-directory={triton.tree / 'backends'}",
        "--http-address=127.0.0.1",
        f"--http-port={http}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={grpc}",
        "--allow-metrics=false",
        *further,
    ]
    # The Python backend runs the interpreter that it finds first, which must be this one.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    libraries = ":".join(map(str, triton.libraries))
    environment = {**os.environ, "PATH": path, "LD_LIBRARY_PATH": libraries}
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, env=environment, stdout=output, stderr=output)
    try:
        yield Server(process, f"127.0.0.1:{http}", f"127.0.0.1:{grpc}", log)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
