"""Starts a Prometheus."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster import build


@contextmanager
def started(folder: Path, settings: dict[str, object], *arguments: str) -> Iterator[str]:
    """Start a Prometheus, yield its address, and stop it afterwards."""
    file = folder / "prometheus.json"
    file.write_text(json.dumps(settings))
    address = f"127.0.0.1:{_free_port()}"
    command: list[str | Path] = [
        build.build((build.PROMETHEUS,)) / "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--scrape.discovery-reload-interval=100ms",
        "--log.level=warn",
        *arguments,
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
