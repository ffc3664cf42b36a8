"""A real Prometheus that scrapes counters which a test writes."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import requests

from halimede.adapters.prometheus import PrometheusReader
from harness.prometheus import started
from tests.prometheus.exposition import Exposition, served
from tests.prometheus.server import configuration, scrape_errors
from tests.support.waiting import wait_until


@pytest.fixture
def exposition() -> Iterator[tuple[Exposition, int]]:
    """Yield empty pages of counters and the port that serves them."""
    pages = Exposition()
    with served(pages) as port:
        yield pages, port


@pytest.fixture
def counters(exposition: tuple[Exposition, int]) -> Exposition:
    """Return the pages to write to."""
    return exposition[0]


@pytest.fixture
def prometheus(exposition: tuple[Exposition, int], tmp_path: Path) -> Iterator[str]:
    """Start a Prometheus that scrapes the pages, and yield its URL."""
    with started(tmp_path, configuration(exposition[1])) as address:
        url = f"http://{address}"
        wait_until(lambda: _ready(url), explain=(tmp_path / "log").read_text)
        yield url
        # Shown if the test fails.
        sys.stdout.write(scrape_errors(url) + (tmp_path / "log").read_text())


@pytest.fixture
def clock(prometheus: str) -> Callable[[], float]:
    """Return a function that returns Prometheus's time."""

    def now() -> float:
        answer = requests.get(f"{prometheus}/api/v1/query", {"query": "time()"}, timeout=5)
        return float(answer.json()["data"]["result"][1])

    return now


@pytest.fixture
async def metrics(prometheus: str) -> AsyncIterator[PrometheusReader]:
    """Connect to that Prometheus as the operator does."""
    reader = PrometheusReader(prometheus)
    yield reader
    reader.close()


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=1).ok
    except requests.RequestException:
        return False
