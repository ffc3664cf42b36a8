"""Starts a Prometheus."""

import json
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from localcluster import build
from tests.prometheus.exposition import ENVOY, PODS
from tests.prometheus.products import SCRAPED

INTERVAL = "500ms"
"""Also the timeout of a scrape: Prometheus allows no longer one, and machines may be loaded."""
Job = tuple[str, dict[str, str]]
"""A page, and the labels that the scraper adds."""
JOBS: Sequence[Job] = (
    (ENVOY, {"instance": "envoy"}),
    *((page, {"instance": pod, "namespace": "ml", "pod": pod}) for pod, page in PODS.items()),
    *SCRAPED,
)


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


def configuration(port: int, jobs: Sequence[Job] = JOBS) -> dict[str, object]:
    """Return Prometheus's configuration in JSON, which is also YAML."""
    return {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL},
        "scrape_configs": [
            {
                "job_name": f"{number}{page}",
                "metrics_path": page,
                "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": given}],
            }
            for number, (page, given) in enumerate(jobs)
        ],
    }


def scrape_errors(url: str) -> str:
    """Describe the targets whose last scrape failed, a line each."""
    answer = requests.get(f"{url}/api/v1/targets", timeout=5).json()
    return "".join(
        f"Prometheus failed to scrape {target['scrapeUrl']}: {target['lastError']}\n"
        for target in answer["data"]["activeTargets"]
        if target["lastError"]
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
