"""Rollouts of made-up traffic under the judge's own rule, on a simulated clock.

Both sources see the same requests, as they do where all traffic comes through the router, and
Prometheus scrapes as often as the judge looks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import floor
from random import Random

from typing_extensions import override

from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.rollout import Step
from halimede.api.sources import Source
from halimede.api.status import SourceEvidence
from halimede.forecast.random_variates import binomial, geometric, poisson
from halimede.judge.bake import start_bake
from halimede.judge.baseline import BIN, HISTORY, summarize_minutes
from halimede.judge.counts import WindowCounts
from halimede.judge.dispersion import phi_of
from halimede.judge.evidence import (
    initial_evidence,
    is_suspected,
    log_odds_against,
    update_confirmation,
    update_evidence,
)
from halimede.judge.reading import Counts, MetricsRequest
from halimede.judge.rule import Poll, SourceView, decide_verdict
from halimede.judge.thresholds import DOUBT, Limits, levels, limits

LOOKS = 240
"""After so many looks at one step they become rarer, each 1/240 of the time so far, so that weeks
can be simulated; it makes what is found late later by less than half a percent."""
ROUTE_SECONDS = 1.0
"""About how long a route takes to be written, accepted and seen, before it settles."""
FULL_WEIGHT = 100
"""Percent."""
LONGEST_BAKE = 10.0
"""A bake that is extended by the odds is simulated for at most this many times its length."""
OUTAGE_ERRORS = 0.3
"""The part of all requests that fails in an outage of both revisions."""


@dataclass(frozen=True)
class Traffic:
    """Requests that come at random, and what becomes of them."""

    per_second: float
    stable_errors: float
    """Error rate of the stable revision."""
    canary_errors: float
    cluster: float = 1.0
    """How many errors come together on average."""
    batches: bool = False
    """Whether clusters have exactly this size, and not only on average."""
    outage: tuple[float, float] = (0.0, 0.0)
    """From when to when `OUTAGE_ERRORS` of all requests fail on both revisions."""

    def of(self, rng: Random, share: float, errors: float, now: float, seconds: float) -> Counts:
        """Draw the requests of a revision with this share of the traffic, and its errors."""
        requests = poisson(rng, self.per_second * share * seconds)
        if self.outage[0] < now <= self.outage[1]:
            errors = OUTAGE_ERRORS
        return Counts(requests, self._failed(rng, requests, errors))

    def _failed(self, rng: Random, requests: int, rate: float) -> int:
        clusters = binomial(rng, requests, rate / self.cluster)
        if self.cluster == 1.0:
            return clusters
        if self.batches:
            return min(requests, clusters * round(self.cluster))
        failed = sum(geometric(rng, 1 / self.cluster) for _ in range(clusters))
        return min(requests, failed)


@dataclass(frozen=True)
class EvenTraffic(Traffic):
    """The same requests and errors, evenly spread: what is to be expected, without chance."""

    @override
    def of(self, rng: Random, share: float, errors: float, now: float, seconds: float) -> Counts:
        """Count what is due between two moments of an even stream."""
        first, last = (floor(self.per_second * share * at) for at in (now - seconds, now))
        return Counts(last - first, floor(last * errors + 0.5) - floor(first * errors + 0.5))


@dataclass(frozen=True)
class Plan:
    """The steps of a rollout and its settings."""

    steps: tuple[Step, ...]
    analysis: Analysis = field(default_factory=Analysis)
    promotes: bool = True
    """False: stay at the first weight whatever the certificate says."""
    bakes: bool = False
    """True: the only step is a bake, after stable's past alone."""
    patience: float = 1.0
    """How many times its `maxSeconds` a step may take before the simulation ends."""

    @cached_property
    def limits(self) -> Limits:
        """The figures to decide by."""
        return limits(self.analysis)


@dataclass(frozen=True)
class PassedStep:
    """A step that was passed."""

    seconds: float
    """From the moment when the step's weight was live."""
    at: float
    """From the moment when the first weight was live."""
    canary: Counts
    """All that the canary had had by then since the warm-up."""


@dataclass(frozen=True)
class Result:
    """How a simulated rollout ended."""

    verdict: Verdict
    """Pass: promoted; Continue or NoData: held at a step for its `maxSeconds`."""
    seconds: float
    """From the moment when the first weight was live."""
    canary: Counts
    levels: tuple[float, ...]
    """The error rate that each step's certificate had to exclude."""
    passed: tuple[PassedStep, ...]
    """The steps that were passed, in their order."""


def run(plan: Plan, traffic: Traffic, seed: int) -> Result:
    """Roll out once."""
    rng = Random(seed)  # noqa: S311 (a simulation that can be repeated, not a secret)
    held, fixed = _begun(plan, traffic, rng)
    now, entered = float(plan.analysis.warmup_seconds), 0.0
    passed: list[PassedStep] = []
    pause_ends: float | None = None
    verdict = Verdict.NO_DATA
    while True:
        step = len(passed)
        look = max(plan.analysis.interval_seconds, (now - entered) / LOOKS)
        since = entered if pause_ends is None else pause_ends
        limit = plan.steps[step].max_seconds * plan.patience
        doubted = (
            plan.bakes and log_odds_against(held) >= DOUBT and now - since < LONGEST_BAKE * limit
        )
        if now + look - since > limit and not doubted:
            break
        now += look
        seen = _seen(plan, traffic, rng, step, now, look)
        held = _weighed(plan, held, seen, fixed)
        verdict, _ = decide_verdict(_case(plan, held, seen, fixed, step, now))
        if verdict is Verdict.ABORT:
            break
        stayed = now - entered
        if verdict is not Verdict.PASS or not plan.promotes:
            continue
        if pause_ends is None and stayed >= plan.steps[step].min_seconds:
            pause_ends = now + _pause(plan.steps[step])
        if pause_ends is not None and now >= pause_ends:
            passed.append(PassedStep(stayed, now, _canary(held)))
            if len(passed) == len(plan.steps):
                return Result(verdict, now, _canary(held), fixed, tuple(passed))
            entered, pause_ends = now + ROUTE_SECONDS + plan.analysis.settle_seconds, None
    ended = verdict if verdict is not Verdict.PASS else Verdict.CONTINUE
    return Result(ended, now, _canary(held), fixed, tuple(passed))


def runs(plan: Plan, traffic: Traffic, repeats: int, seed: int = 1) -> Iterator[Result]:
    """Roll out again and again, with seeds of their own."""
    for repeat in range(repeats):
        yield run(plan, traffic, seed * 1_000_003 + repeat)


def _pause(step: Step) -> int:
    """Say how long a step's pause is; one that waits for `promote` is taken as none."""
    return (step.pause.seconds or 0) if step.pause else 0


def _weighed(
    plan: Plan, held: SourceEvidence, seen: WindowCounts, fixed: tuple[float, ...]
) -> SourceEvidence:
    tolerated, phi = float(plan.analysis.max_error_ratio), phi_of(held)
    held = update_evidence(held, seen, plan.limits, fixed, tolerated=tolerated)
    return update_confirmation(held, seen, phi, suspicion=is_suspected([held]))


def _begun(plan: Plan, traffic: Traffic, rng: Random) -> tuple[SourceEvidence, tuple[float, ...]]:
    quiet = replace(traffic, outage=(0.0, 0.0))
    ends = [-BIN * past for past in range(int(HISTORY / BIN))]
    bins = [quiet.of(rng, 1.0, traffic.stable_errors, end, BIN) for end in ends]
    known = summarize_minutes(bins)
    fixed = levels(plan.analysis, len(plan.steps), known.rate, plan.limits.ceiling)
    begun_at = float(plan.analysis.warmup_seconds)
    held = initial_evidence(Source.ROUTER, plan.limits, fixed, begun_at, known)
    return start_bake(held, plan.limits.ceiling) if plan.bakes else held, fixed


def _seen(
    plan: Plan, traffic: Traffic, rng: Random, step: int, now: float, seconds: float
) -> WindowCounts:
    share = plan.steps[step].weight / 100
    return WindowCounts(
        canary=traffic.of(rng, share, traffic.canary_errors, now, seconds),
        stable=traffic.of(rng, 1 - share, traffic.stable_errors, now, seconds),
        watermark=now,
        canary_seen_at=now,
        interval=seconds,
        stable_seen_at=now,
    )


def _case(
    plan: Plan,
    held: SourceEvidence,
    seen: WindowCounts,
    fixed: tuple[float, ...],
    step: int,
    now: float,
) -> Poll:
    return Poll(
        views=tuple(SourceView(source, held, seen, fixed) for source in plan.limits.sources),
        request=MADE_UP,
        limits=plan.limits,
        analysis=plan.analysis,
        step=step,
        now=now,
        bake=plan.bakes,
        compared=plan.steps[step].weight < FULL_WEIGHT,
    )


def _canary(held: SourceEvidence) -> Counts:
    return Counts(held.canary_requests, held.canary_errors)


MADE_UP = MetricsRequest(
    provider=MetricsProvider.CONTOUR,
    namespace="simulated",
    name="model",
    model="model",
    stable="aaaaaaaa",
    canary="bbbbbbbb",
    now=0.0,
    since=0.0,
)
"""Nobody is asked in a simulation."""
