"""Measure the CPU time of one decision, for an object with many revisions during a canary."""

import sys
import time
from dataclasses import dataclass
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

from halimede.api.status import MOST_WARM, RolloutStatus, State
from halimede.judge.counts import LOOKBACK
from halimede.plan.observed import Observed
from halimede.plan.planner import decide
from halimede.plan.renderer import Renderer
from harness.fake_cluster import PLATFORM, FakeCluster

REVISIONS = 20
WARM = MOST_WARM - 1
"""One more would remove the oldest."""
SCRAPE_SECONDS = 5.0
REPEATS = 5000
TARGET = 0.001
"""CPU seconds, at the 99th percentile."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """CPU seconds of single decisions, in no order."""

    seconds: tuple[float, ...]

    @property
    def p50(self) -> float:
        """The median."""
        return median(self.seconds)

    @property
    def p99(self) -> float:
        """The 99th percentile."""
        return quantiles(self.seconds, n=100)[98]


def crowded() -> tuple[Observed, float]:
    """Build an object with many revisions, half of them warm, while one is judged.

    Returns:
        The observed state, and the time.
    """
    cluster = FakeCluster()
    cluster.spec["rollout"] |= {
        "strategy": "BlueGreen",
        "blueGreen": {"autoPromote": True, "bakeSeconds": 0},
        "scaleDownDelaySeconds": 604800,
    }
    cluster.until(cluster.ready)
    for number in range(2, REVISIONS):
        if number == WARM + 2:
            cluster.edit(lambda spec: spec["rollout"].update(scaleDownDelaySeconds=0))
        cluster.model(number).until(cluster.ready)
    long_step = {"steps": [{"weight": 20, "minSeconds": 3600}]}
    cluster.edit(lambda spec: spec["rollout"].update(strategy="Canary", canary=long_step))
    cluster.model(REVISIONS).until(lambda: cluster.state is State.ANALYSING)
    cluster.until(lambda: _judged(cluster.rollout)).run(LOOKBACK)
    while (observed := cluster.observe()).reading is None:
        cluster.tick(SCRAPE_SECONDS)
    return observed, cluster.now


def _judged(rollout: RolloutStatus | None) -> bool:
    return bool(rollout and rollout.evidence and rollout.evidence.sources)


def measure(observed: Observed, now: float) -> Decisions:
    """Decide repeatedly on the same state, so that the caches are filled."""
    renderer, seconds = Renderer(), []
    for _ in range(REPEATS):
        started = time.thread_time()
        decide(observed, renderer, PLATFORM, now)
        seconds.append(time.thread_time() - started)
    return Decisions(tuple(seconds))


def main() -> int:
    """Print the results with the target."""
    observed, now = crowded()
    records = {
        child["metadata"]["name"] for child in observed.children if child["kind"] == "ConfigMap"
    }
    measured = measure(observed, now)
    table = Table("decide", "measured", "target")
    what = f"{len(records)} revisions, {len(observed.children)} children"
    table.add_row(f"p50, {what}", f"{measured.p50 * 1e3:.2f} ms", "")
    table.add_row(f"p99, {what}", f"{measured.p99 * 1e3:.2f} ms", f"{TARGET * 1e3:g} ms")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
