"""Print how long a good revision takes, and where the time goes: `python -m bench.time_to_done`.

The planner, the state machine and the judge are the product's. The cluster, its clock and its
requests are simulated, so the times depend on no machine. Pods are ready at once.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median, quantiles

from typing_extensions import override

from halimede.api.analysis import Pace
from halimede.api.base import Manifest
from halimede.api.reasons import Verdict
from halimede.api.status import RolloutStatus, State
from halimede.forecast.random_variates import binomial, poisson
from halimede.rollout.sizing.first_weight import effective_settings
from halimede.rollout.steps import current_step
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster

REQUESTS_PER_SECOND = 20.0
ERRORS = 0.005
"""Error rate of both revisions."""
SCRAPE_SECONDS = 15
HISTORY_SECONDS = 7200
ROLLOUTS = 20
LONGEST = 4 * 3600
ROUTE, WARM_UP, CERTIFICATE = "route", "warm-up", "certificate"
MINIMUM, NEXT_POLL, BAKE = "rest of minSeconds", "wait for the next poll", "bake"


@dataclass
class BusyCluster(FakeCluster):
    """A cluster with random requests, whose counters are scraped at fixed times."""

    errors: float = ERRORS
    seed: int = 1
    chance: Random = field(init=False)

    def __post_init__(self) -> None:
        """Let the seed determine the requests, and when the counters are scraped."""
        self.chance = Random(self.seed)
        self.requests_per_second = REQUESTS_PER_SECOND
        self.behaviours = {
            self.spec["model"]["storageUri"]: Behaviour(load_seconds=0, error_rate=self.errors)
        }

    @override
    def settle(self) -> None:
        """Reconcile; the gateway accepts what was written only with the next second."""
        self.gateway = False
        super().settle()

    @override
    def tick(self, seconds: float) -> None:
        """Let users send requests for *seconds*, and scrape the counters if it is time."""
        self._serve(seconds)
        self.now += seconds
        self.gateway = True
        self._controllers()
        if int(self.now) % SCRAPE_SECONDS == self.seed % SCRAPE_SECONDS:
            self.prometheus.scrape(self.now)

    @override
    def _answer(self, revision: str, requests: float) -> float | None:
        pods = [pod for pod, (owner, _) in self.pods.items() if owner == revision]
        if not pods:
            return None
        rate, errors = self._behaviour(revision).error_rate, 0
        for pod in pods:
            count = poisson(self.chance, requests / len(pods))
            failed = binomial(self.chance, count, rate)
            self.prometheus.count(f"ml_digits-{revision}_8000", pod, count, failed)
            errors += failed
        return errors


@dataclass(frozen=True, slots=True)
class Duration:
    """How long one rollout took, in seconds from the first ready pod."""

    all_traffic: float
    """Until the weight of the bake was set."""
    committed: float
    parts: dict[tuple[str, str], float]
    """Seconds by the stage and the cause, in order."""


@dataclass
class _Clock:
    """Attributes each second of a rollout to a stage and a cause."""

    began: float
    parts: defaultdict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    all_traffic: float | None = None

    def add(self, cluster: FakeCluster, rollout: RolloutStatus, now: float) -> None:
        """Attribute the second that begins now."""
        if rollout.state is State.STARTING:
            self.began = now
            return
        if rollout.state is State.PROMOTING and self.all_traffic is None:
            self.all_traffic = now - self.began
        self.parts[_stage_and_cause(cluster, rollout, now)] += 1.0


def _stage_and_cause(cluster: FakeCluster, rollout: RolloutStatus, now: float) -> tuple[str, str]:
    match rollout.state:
        case State.PRIMING:
            return "weight 0", ROUTE
        case State.SHIFTING | State.ANALYSING:
            stage = f"step {rollout.step + 1}"
            return stage, _cause_at_step(cluster, rollout, now)
        case State.BAKING if rollout.control_dropped_at is None:
            return "bake", BAKE
        case State.BAKING:
            return "end of the bake", ROUTE
        case _:
            return "full scale", ROUTE


def _cause_at_step(cluster: FakeCluster, rollout: RolloutStatus, now: float) -> str:
    """Return what a step waits for; the certificate counts before `minSeconds`."""
    if rollout.state is State.SHIFTING:
        return ROUTE
    step = current_step(rollout, effective_settings(cluster.deployment.spec.rollout, rollout))
    if rollout.evidence is None or step is None or rollout.step_started_at is None:
        return WARM_UP
    if rollout.evidence.verdict != Verdict.PASS:
        return CERTIFICATE
    return MINIMUM if now < rollout.step_started_at + step.min_seconds else NEXT_POLL


def measure(analysis: Manifest | None = None, seed: int = 1, errors: float = ERRORS) -> Duration:
    """Roll out one good revision with the default settings, apart from those of the analysis."""
    cluster = BusyCluster(seed=seed, errors=errors)
    cluster.spec["rollout"] = {"analysis": analysis or {}}
    _run(cluster, HISTORY_SECONDS, SCRAPE_SECONDS)
    before = cluster.stable
    cluster.model(2, Behaviour(load_seconds=0, error_rate=errors))
    clock = _Clock(cluster.now)
    for _ in range(LONGEST):
        cluster.settle()
        rollout = cluster.rollout
        if cluster.stable != before and clock.all_traffic is not None:
            return Duration(clock.all_traffic, cluster.now - clock.began, dict(clock.parts))
        if rollout is not None:
            clock.add(cluster, rollout, cluster.now)
        cluster.tick(1.0)
    raise AssertionError(f"the revision was not promoted: {cluster.explain()}")


def _run(cluster: FakeCluster, seconds: int, step: int) -> None:
    for _ in range(seconds // step):
        cluster.settle()
        for _ in range(step):
            cluster.tick(1.0)


def measure_all(pace: Pace, errors: float, rollouts: int) -> list[Duration]:
    """Roll out good revisions from as many seeds."""
    return [measure({"pace": pace.value}, seed, errors) for seed in range(1, rollouts + 1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the default pace and `Swift`, and print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=ROLLOUTS, help="rollouts per table")
    rollouts: int = parser.parse_args(arguments).rollouts
    print(f"{REQUESTS_PER_SECOND:g} requests/s, {rollouts} rollouts per table")
    for pace in (Pace.BALANCED, Pace.SWIFT):
        for errors in (0.0, ERRORS):
            title = f"{pace}, {errors:.1%} errors"
            print("\n".join(_table(title, measure_all(pace, errors, rollouts))), flush=True)
    return 0


def _table(title: str, durations: Sequence[Duration]) -> Iterator[str]:
    yield f"\n| {title} | median seconds | 90 % within |\n|---|---|---|"
    keys = dict.fromkeys(key for one in durations for key in one.parts)
    for stage, cause in keys:
        yield _row(f"{stage}: {cause}", [one.parts.get((stage, cause), 0.0) for one in durations])
    yield _row("**all requests**", [one.all_traffic for one in durations])
    yield _row("**commit**", [one.committed for one in durations])


def _row(name: str, seconds: Sequence[float]) -> str:
    return f"| {name} | {median(seconds):.0f} | {quantiles(seconds, n=10)[-1]:.0f} |"


if __name__ == "__main__":
    raise SystemExit(main())
