"""Measure the polls of many rollouts at once: `python -m bench.shared_polls`.

The operator's queue, reconciler, judge and Prometheus client work on objects in memory, and ask a
real Prometheus that scrapes two proxies with the counters of all rollouts. Everything runs on the
cores of this machine.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import quantiles

import requests
from rich.console import Console
from rich.table import Table
from typing_extensions import override

from bench.exporter import PODS, PROXIES, Counters
from halimede.adapters.store import Key
from halimede.api.base import Manifest
from halimede.api.reasons import Verdict
from halimede.api.status import State
from harness.fake_cluster import START, FakeCluster
from harness.prometheus import started
from harness.tenants import MemoryApi, Shared

INTERVAL = 15.0
"""Seconds from one poll of a rollout to the next, and from one scrape to the next."""
HOLD = 86_400
"""Seconds of the step: no rollout goes on."""
QUERIES_TARGET = 20.0
"""Queries per second."""
LATE_TARGET = 2.0
"""Polls that a poll may be late, at the 99th percentile."""
READY_SECONDS = 300.0


@dataclass
class TimedApi(MemoryApi):
    """An API server in memory that notes when polls were judged."""

    judged: dict[Key, list[tuple[float, float]]] = field(default_factory=dict)
    """By key: the time for which a poll asked, and when its status was stored."""
    unavailable: int = 0

    @override
    async def write_status(self, deployment: Manifest, status: Manifest) -> Manifest:
        live = await super().write_status(deployment, status)
        key, stored = self.statuses.pop()
        rollout = stored.rollout
        if rollout is not None and rollout.polled_at is not None:
            polls = self.judged.setdefault(key, [])
            if not polls or polls[-1][0] != rollout.polled_at:
                polls.append((rollout.polled_at, time.time()))
                verdict = rollout.evidence.verdict if rollout.evidence else None
                self.unavailable += verdict in {Verdict.METRICS_DOWN, Verdict.NO_DATA}
        return live


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured."""

    queries: float
    """Per second."""
    polls: float
    """Per second."""
    late: tuple[float, ...]
    """From the time at which each poll was due until its stored judgement, in polls."""
    processor: float
    """Seconds of a processor that the operator took, per second."""
    unavailable: int


def analysed(keys: Iterable[Key]) -> Iterator[FakeCluster]:
    """Yield a cluster for each key, as it is now, with a rollout that stays at its first step."""
    seconds = _analysed_from(START, Key("ml", "digits")).now - START
    for key in keys:
        yield _analysed_from(time.time() - seconds, key)


def _analysed_from(now: float, key: Key) -> FakeCluster:
    cluster = FakeCluster(now=now, namespace=key.namespace, name=key.name)
    step = {"weight": 20, "minSeconds": HOLD, "maxSeconds": HOLD}
    cluster.spec["rollout"]["canary"]["steps"] = [step]
    cluster.spec["rollout"]["analysis"]["intervalSeconds"] = int(INTERVAL)
    cluster.until(cluster.ready)
    cluster.model(2)
    cluster.until(lambda: cluster.state is State.ANALYSING)
    cluster.run(60.0)
    return cluster


@contextmanager
def scraped(counters: Counters) -> Iterator[str]:
    """Start a Prometheus that scrapes these counters, and yield its URL."""
    command = [sys.executable, "-m", "bench.exporter"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as exporter,
    ):
        try:
            port = int(_told(exporter, counters.to_json()))
            with started(Path(folder), _configuration(port)) as address:
                yield f"http://{address}"
        finally:
            exporter.terminate()


def _told(process: "subprocess.Popen[str]", line: str) -> str:
    """Write a line to a process, and return the one that it answers."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process has no pipes")
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline()


def _configuration(port: int) -> dict[str, object]:
    pages = [*(f"/proxy{proxy}" for proxy in range(PROXIES)), PODS]
    return {
        "global": {"scrape_interval": f"{INTERVAL:.0f}s"},
        "scrape_configs": [
            {
                "job_name": page,
                "honor_labels": True,
                "metrics_path": page,
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": page}}
                ],
            }
            for page in pages
        ],
    }


def ask(url: str, query: str) -> float:
    """Return the number that a query has; 0 if it has none."""
    answer = requests.get(f"{url}/api/v1/query", {"query": query}, timeout=10).json()
    result = answer["data"]["result"] if answer.get("status") == "success" else ()
    return float(result[0]["value"][1]) if result else 0.0


def answered(url: str) -> float:
    """Return how many queries Prometheus has answered."""
    text = requests.get(f"{url}/metrics", timeout=10).text
    lines = (
        line for line in text.splitlines() if line.startswith("prometheus_http_requests_total")
    )
    return sum(float(line.rpartition(" ")[2]) for line in lines if '"/api/v1/query"' in line)


def scatter(shared: Shared, clusters: Iterable[FakeCluster]) -> list[Key]:
    """Add rollouts whose next polls are due at some time within an interval; return their keys."""
    keys = []
    for cluster in clusters:
        polled = time.time() - INTERVAL * random.random()
        cluster.status["rollout"]["polledAt"] = polled
        key = Key(cluster.namespace, cluster.name)
        shared.add(cluster, key)
        shared.queue.add(key)
        keys.append(key)
    return keys


async def measure(
    url: str, clusters: Iterable[FakeCluster], warm_up: float, seconds: float
) -> Measured:
    """Poll for *seconds* after a warm-up."""
    api = TimedApi()
    shared = Shared(time.time, url, api)
    keys = scatter(shared, clusters)
    async with shared.running():
        await asyncio.sleep(warm_up)
        begun, queries = time.time(), await asyncio.to_thread(answered, url)
        used = time.process_time()
        await asyncio.sleep(seconds)
        passed, used = time.time() - begun, time.process_time() - used
        queries = await asyncio.to_thread(answered, url) - queries
    late: list[float] = []
    for polls in api.judged.values():
        late.extend(
            (stored - before - INTERVAL) / INTERVAL
            for (before, _), (_, stored) in pairwise(polls)
            if stored >= begun
        )
    polls_per_second = len(late) / passed
    # What is still awaited is at least as late as it is now.
    awaited = (api.judged[key][-1][0] if key in api.judged else begun for key in keys)
    overdue = ((begun + passed - before - INTERVAL) / INTERVAL for before in awaited)
    late.extend(one for one in overdue if one > 0)
    return Measured(
        queries=queries / passed,
        polls=polls_per_second,
        late=tuple(late),
        processor=used / passed,
        unavailable=api.unavailable,
    )


def main() -> int:
    """Measure and print; 1 if a target is missed."""
    parser = argparse.ArgumentParser("python -m bench.shared_polls", description=__doc__)
    parser.add_argument("--rollouts", type=int, default=500)
    parser.add_argument("--namespaces", type=int, default=10)
    parser.add_argument("--warm-up", type=float, default=60.0, help="seconds")
    parser.add_argument("--seconds", type=float, default=120.0)
    given = parser.parse_args()
    keys = [
        Key(f"team{number % given.namespaces}", f"model{number}")
        for number in range(given.rollouts)
    ]
    clusters = list(analysed(keys))
    with scraped(Counters(tuple(map(_revisions, clusters)))) as url:
        deadline = time.monotonic() + READY_SECONDS
        while not _ready(url):
            if time.monotonic() > deadline:
                raise TimeoutError("Prometheus has not scraped everything")
            time.sleep(1.0)
        measured = asyncio.run(measure(url, clusters, given.warm_up, given.seconds))
    return show(given.rollouts, given.namespaces, measured)


def _revisions(cluster: FakeCluster) -> tuple[str, str, str, str]:
    rollout = cluster.status["rollout"]
    return cluster.namespace, cluster.name, rollout["base"], rollout["revision"]


def _ready(url: str) -> bool:
    try:
        return ask(url, "sum(up)") == PROXIES + 1
    except requests.RequestException:
        return False


def show(rollouts: int, namespaces: int, measured: Measured) -> int:
    """Print what was measured; return 1 if a target is missed."""
    percentiles = quantiles(measured.late, n=100)
    table = Table(f"{rollouts} rollouts in {namespaces} namespaces", "", "target")
    table.add_row("polls per second", f"{measured.polls:.1f}")
    per_poll = 1000 * measured.processor / measured.polls if measured.polls else 0.0
    table.add_row("processor time of the operator per poll, in ms", f"{per_poll:.1f}")
    table.add_row("queries per second", f"{measured.queries:.1f}", f"{QUERIES_TARGET:g}")
    table.add_row("late by, in polls: median", f"{percentiles[49]:.2f}")
    table.add_row("late by, in polls: 99 %", f"{percentiles[98]:.2f}", f"{LATE_TARGET:g}")
    table.add_row("late by, in polls: most", f"{max(measured.late):.2f}")
    table.add_row("polls without an answer", f"{measured.unavailable}", "0")
    Console().print(table)
    missed = measured.queries > QUERIES_TARGET or percentiles[98] > LATE_TARGET
    return int(missed or measured.unavailable > 0)


if __name__ == "__main__":
    sys.exit(main())
