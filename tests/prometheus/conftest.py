"""A real Prometheus that scrapes counters which a test writes."""

import json
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import requests

from halimede.adapters.prometheus import PromMetrics
from local import build
from tests.demo.waiting import until
from tests.prometheus.exposition import ENVOY, PODS, Exposition, served

INTERVAL = "200ms"


@pytest.fixture
def exposition() -> Iterator[tuple[Exposition, int]]:
    """Give pages of counters, empty yet, and the port that serves them."""
    pages = Exposition()
    with served(pages) as port:
        yield pages, port


@pytest.fixture
def counters(exposition: tuple[Exposition, int]) -> Exposition:
    """Give the pages to write to."""
    return exposition[0]


@pytest.fixture
def prometheus(exposition: tuple[Exposition, int], tmp_path: Path) -> Iterator[str]:
    """Start a Prometheus that scrapes the pages, and give its address."""
    configuration = tmp_path / "prometheus.json"
    configuration.write_text(json.dumps(_configuration(exposition[1])))
    url = f"http://127.0.0.1:{_free_port()}"
    command: list[str | Path] = [
        build.build((build.PROMETHEUS,)) / "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--scrape.discovery-reload-interval=100ms",
        "--log.level=warn",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        assert until(lambda: _ready(url)), (tmp_path / "log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def clock(prometheus: str) -> Callable[[], float]:
    """Give Prometheus's own clock."""

    def now() -> float:
        answer = requests.get(f"{prometheus}/api/v1/query", {"query": "time()"}, timeout=5)
        return float(answer.json()["data"]["result"][1])

    return now


@pytest.fixture
async def metrics(prometheus: str) -> AsyncIterator[PromMetrics]:
    """Ask that Prometheus as the operator does."""
    asked = PromMetrics(prometheus)
    yield asked
    asked.close()


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=1).ok
    except requests.RequestException:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _configuration(port: int) -> dict[str, object]:
    """Write Prometheus's configuration in JSON, which is YAML too."""
    labels = {ENVOY: {"instance": "envoy"}} | {
        page: {"instance": pod, "namespace": "ml", "pod": pod} for pod, page in PODS.items()
    }
    return {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL},
        "scrape_configs": [
            {
                "job_name": page,
                "metrics_path": page,
                "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": given}],
            }
            for page, given in labels.items()
        ],
    }
