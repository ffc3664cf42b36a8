"""How long one decision takes, for an object with many revisions in the middle of a canary."""

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
from harness.fake_cluster import PLATFORM, FakeCluster

REVISIONS = 20
WARM = MOST_WARM - 1
"""One more would put the oldest out."""
SCRAPE_SECONDS = 5.0
REPEATS = 5000
TARGET = 0.001
"""Seconds of a processor, at the 99th percentile."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Seconds that single decisions took of a processor, in no order."""

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
    """Look at an object with many revisions, half of them kept warm, while one is judged.

    Returns:
        What is to be decided on, and the time.
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
    """Decide many times on the same, as an operator does that has decided on it before."""
    seconds = []
    for _ in range(REPEATS):
        begun = time.thread_time()
        decide(observed, PLATFORM, now)
        seconds.append(time.thread_time() - begun)
    return Decisions(tuple(seconds))


def main() -> int:
    """Print the figures beside the target."""
    observed, now = crowded()
    records = {one["metadata"]["name"] for one in observed.children if one["kind"] == "ConfigMap"}
    measured = measure(observed, now)
    table = Table("decide", "measured", "target")
    what = f"{len(records)} revisions, {len(observed.children)} children"
    table.add_row(f"p50, {what}", f"{measured.p50 * 1e3:.2f} ms", "")
    table.add_row(f"p99, {what}", f"{measured.p99 * 1e3:.2f} ms", f"{TARGET * 1e3:g} ms")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
