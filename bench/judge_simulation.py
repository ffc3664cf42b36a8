"""Rollouts of made-up traffic under the operator's own rule, on a simulated clock.

Both sources see the same requests, as they do where all traffic comes through the router.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import exp, log1p
from random import Random

from halimede.api.rollout import Analysis, MetricsProvider
from halimede.api.status import SourceEvidence
from halimede.judge.counts import Counted
from halimede.judge.limits import Limits, levels, limits
from halimede.judge.past import ENOUGH_REQUESTS, dispersion
from halimede.judge.reading import Counts, MetricsRequest
from halimede.judge.rule import Case, View, decide
from halimede.judge.verdict import Verdict
from halimede.judge.weigh import fresh, weigh

POLL = 15.0
WARMUP = 30.0
MIN_SECONDS = 60.0
HISTORY_BINS = 120


@dataclass(frozen=True)
class Traffic:
    """Requests that come at random, and what becomes of them."""

    per_second: float
    stable_errors: float
    """Error rate of the stable revision."""
    canary_errors: float
    cluster: float = 1.0
    """How many errors come together on average."""
    outage: tuple[float, float] = (0.0, 0.0)
    """From when to when 30 % of all requests fail on both revisions."""

    def of(self, rng: Random, share: float, errors: float, now: float, seconds: float) -> Counts:
        """Draw the requests of a revision with this share of the traffic, and its errors."""
        requests = poisson(rng, self.per_second * share * seconds)
        if self.outage[0] < now <= self.outage[1]:
            errors = 0.3
        return Counts(requests, self._failed(rng, requests, errors))

    def _failed(self, rng: Random, requests: int, rate: float) -> int:
        clusters = binomial(rng, requests, rate / self.cluster)
        if self.cluster == 1.0:
            return clusters
        failed = sum(geometric(rng, 1 / self.cluster) for _ in range(clusters))
        return min(requests, failed)


@dataclass(frozen=True)
class Plan:
    """The steps of a rollout and its settings."""

    weights: tuple[int, ...] = (5, 10, 25, 50)
    max_seconds: float = 1800.0
    analysis: Analysis = field(default_factory=Analysis)
    promotes: bool = True
    """False: stay at the first weight whatever the certificate says."""

    @cached_property
    def limits(self) -> Limits:
        """The figures to decide by."""
        return limits(self.analysis)


@dataclass(frozen=True)
class Result:
    """How a simulated rollout ended."""

    verdict: Verdict
    """Pass: promoted; Continue or NoData: held at a step for its `maxSeconds`."""
    seconds: float
    canary: Counts


def run(plan: Plan, traffic: Traffic, seed: int) -> Result:
    """Roll out once."""
    rng = Random(seed)
    held, fixed = _begun(plan, traffic, rng)
    now = entered = WARMUP
    step = 0
    verdict = Verdict.NO_DATA
    while now - entered < plan.max_seconds:
        now += POLL
        seen = _seen(plan, traffic, rng, step, now)
        held = weigh(held, seen, plan.limits, fixed)
        verdict, _ = decide(_case(plan, held, seen, fixed, step, now))
        if verdict is Verdict.ABORT:
            break
        if verdict is Verdict.PASS and plan.promotes and now - entered >= MIN_SECONDS:
            step, entered = step + 1, now
            if step == len(plan.weights):
                return Result(Verdict.PASS, now, _canary(held))
    ended = verdict if verdict is not Verdict.PASS else Verdict.CONTINUE
    return Result(ended, now, _canary(held))


def runs(plan: Plan, traffic: Traffic, repeats: int, seed: int = 1) -> Iterator[Result]:
    """Roll out again and again, with seeds of their own."""
    for repeat in range(repeats):
        yield run(plan, traffic, seed * 1_000_003 + repeat)


def _begun(plan: Plan, traffic: Traffic, rng: Random) -> tuple[SourceEvidence, tuple[float, ...]]:
    quiet = replace(traffic, outage=(0.0, 0.0))
    bins = [quiet.of(rng, 1.0, traffic.stable_errors, 0.0, 60.0) for _ in range(HISTORY_BINS)]
    total = sum(bins, Counts())
    known = total.requests >= ENOUGH_REQUESTS
    rate = total.errors / total.requests if known else None
    fixed = levels(plan.analysis, len(plan.weights), rate)
    return fresh("Router", plan.limits, fixed, WARMUP, dispersion(bins)), fixed


def _seen(plan: Plan, traffic: Traffic, rng: Random, step: int, now: float) -> Counted:
    share = plan.weights[step] / 100
    return Counted(
        canary=traffic.of(rng, share, traffic.canary_errors, now, POLL),
        stable=traffic.of(rng, 1 - share, traffic.stable_errors, now, POLL),
        watermark=now,
        canary_seen_at=now,
        interval=POLL,
    )


def _case(
    plan: Plan,
    held: SourceEvidence,
    seen: Counted,
    fixed: tuple[float, ...],
    step: int,
    now: float,
) -> Case:
    return Case(
        views=tuple(View(source, held, seen) for source in plan.limits.sources),
        request=_REQUEST,
        limits=plan.limits,
        analysis=plan.analysis,
        step=step,
        level=fixed[step],
        now=now,
    )


def _canary(held: SourceEvidence) -> Counts:
    return Counts(held.canary_requests, held.canary_errors)


_REQUEST = MetricsRequest(
    provider=MetricsProvider.CONTOUR,
    namespace="simulated",
    name="model",
    model="model",
    stable="aaaaaaaa",
    canary="bbbbbbbb",
    now=0.0,
    since=0.0,
)


def poisson(rng: Random, mean: float) -> int:
    """Draw how many independent events there are (Knuth's product of uniforms, in parts)."""
    drawn = 0
    while mean > 0:
        part = min(mean, 30.0)
        mean -= part
        product, floor = rng.random(), exp(-part)
        while product > floor:
            drawn += 1
            product *= rng.random()
    return drawn


def binomial(rng: Random, trials: int, rate: float) -> int:
    """Draw how many of the trials come true, by the gaps between those that do."""
    if rate >= 1:
        return trials
    if rate <= 0:
        return 0
    found, at = 0, geometric(rng, rate)
    while at <= trials:
        found += 1
        at += geometric(rng, rate)
    return found


def geometric(rng: Random, rate: float) -> int:
    """Draw the number of the first trial that comes true."""
    if rate >= 1:
        return 1
    return 1 + int(log1p(-rng.random()) / log1p(-rate))
