"""Simulate rollouts with synthetic traffic, the judge's own rule and a simulated clock.

Both sources count the same requests, as they do if all traffic comes through the router, and
Prometheus scrapes as often as the judge polls.
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
from halimede.judge.thresholds import BAKE_HOLD, Limits, levels, limits
from halimede.rollout.analysis_schedule import seconds_to_poll

POLLS = 240
"""After this many polls at one step the interval grows to 1/240 of the time so far, so that weeks
can be simulated; this delays late results by less than half a percent."""
ROUTE_SECONDS = 1.0
"""Approximate seconds until a route is written, accepted and observed."""
FULL_WEIGHT = 100
"""Percent."""
LONGEST_BAKE = 10.0
"""A bake that is extended by the odds is simulated for at most this many times its length."""
OUTAGE_ERRORS = 0.3
"""The fraction of all requests that fails in an outage of both revisions."""


@dataclass(frozen=True)
class Traffic:
    """Random requests and errors."""

    per_second: float
    stable_errors: float
    """Error rate of the stable revision."""
    canary_errors: float
    cluster: float = 1.0
    """Mean number of errors in a cluster."""
    batches: bool = False
    """Whether all clusters have exactly this size."""
    outage: tuple[float, float] = (0.0, 0.0)
    """Start and end of a time in which `OUTAGE_ERRORS` of all requests fail on both revisions."""

    def of(self, rng: Random, share: float, errors: float, now: float, seconds: float) -> Counts:
        """Draw the requests and errors of a revision with this share of the traffic."""
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
    """The same requests and errors, evenly spread instead of random."""

    @override
    def of(self, rng: Random, share: float, errors: float, now: float, seconds: float) -> Counts:
        """Return the requests and errors between two times of an even stream."""
        first, last = (floor(self.per_second * share * at) for at in (now - seconds, now))
        return Counts(last - first, floor(last * errors + 0.5) - floor(first * errors + 0.5))


@dataclass(frozen=True)
class Plan:
    """The steps of a rollout and its settings."""

    steps: tuple[Step, ...]
    analysis: Analysis = field(default_factory=Analysis)
    promotes: bool = True
    """False: stay at the first weight whatever the verdict."""
    bakes: bool = False
    """True: the only step is a bake, whose ceiling comes from the baseline only."""
    patience: float = 1.0
    """Multiple of its `maxSeconds` after which a step ends the simulation."""

    @cached_property
    def limits(self) -> Limits:
        """The limits of the analysis."""
        return limits(self.analysis)


@dataclass(frozen=True)
class PassedStep:
    """A step that passed."""

    seconds: float
    """Time since the step's weight was live."""
    at: float
    """Time since the first weight was live."""
    canary: Counts
    """The canary's counts since the warm-up."""


@dataclass(frozen=True)
class Result:
    """How a simulated rollout ended."""

    verdict: Verdict
    """Pass: promoted; Continue or NoData: a step did not pass within its `maxSeconds`."""
    seconds: float
    """Time since the first weight was live."""
    canary: Counts
    levels: tuple[float, ...]
    """The level of each step."""
    passed: tuple[PassedStep, ...]
    """The steps that passed, in order."""


def run(plan: Plan, traffic: Traffic, seed: int) -> Result:
    """Simulate one rollout."""
    rng = Random(seed)  # noqa: S311 (a simulation that can be repeated, not a secret)
    evidence, step_levels = _begin(plan, traffic, rng)
    now, entered = float(plan.analysis.warmup_seconds), 0.0
    passed: list[PassedStep] = []
    pause_ends: float | None = None
    verdict = Verdict.NO_DATA
    while True:
        step = len(passed)
        remaining = entered + _shortest(plan, step) - now
        interval = max(
            seconds_to_poll(plan.analysis.interval_seconds, remaining), (now - entered) / POLLS
        )
        since = entered if pause_ends is None else pause_ends
        limit = plan.steps[step].max_seconds * plan.patience
        extended = (
            plan.bakes
            and log_odds_against(evidence) >= BAKE_HOLD
            and now - since < LONGEST_BAKE * limit
        )
        if now + interval - since > limit and not extended:
            break
        now += interval
        seen = _draw_window(plan, traffic, rng, step, now, interval)
        evidence = _update(plan, evidence, seen, step_levels)
        verdict, _ = decide_verdict(_build_poll(plan, evidence, seen, step_levels, step, now))
        if verdict is Verdict.ABORT:
            break
        seconds_at_step = now - entered
        if verdict is not Verdict.PASS or not plan.promotes:
            continue
        if pause_ends is None and seconds_at_step >= _shortest(plan, step):
            pause_ends = now + _pause(plan.steps[step])
        if pause_ends is not None and now >= pause_ends:
            passed.append(PassedStep(seconds_at_step, now, _canary_counts(evidence)))
            if len(passed) == len(plan.steps):
                return Result(verdict, now, _canary_counts(evidence), step_levels, tuple(passed))
            entered, pause_ends = now + ROUTE_SECONDS, None
    final = verdict if verdict is not Verdict.PASS else Verdict.CONTINUE
    return Result(final, now, _canary_counts(evidence), step_levels, tuple(passed))


def runs(plan: Plan, traffic: Traffic, repeats: int, seed: int = 1) -> Iterator[Result]:
    """Simulate *repeats* rollouts, each with its own seed."""
    for repeat in range(repeats):
        yield run(plan, traffic, seed * 1_000_003 + repeat)


def _shortest(plan: Plan, step: int) -> float:
    """Return the seconds for which a step lasts at least: proxies must follow its weight, too."""
    return max(plan.steps[step].min_seconds, plan.analysis.settle_seconds)


def _pause(step: Step) -> int:
    """Return the seconds of a step's pause; 0 if it waits for the command `promote`."""
    return (step.pause.seconds or 0) if step.pause else 0


def _update(
    plan: Plan, evidence: SourceEvidence, seen: WindowCounts, step_levels: tuple[float, ...]
) -> SourceEvidence:
    tolerated, phi = float(plan.analysis.max_error_ratio), phi_of(evidence)
    evidence = update_evidence(evidence, seen, plan.limits, step_levels, tolerated=tolerated)
    return update_confirmation(evidence, seen, phi, suspicion=is_suspected([evidence]))


def _begin(plan: Plan, traffic: Traffic, rng: Random) -> tuple[SourceEvidence, tuple[float, ...]]:
    without_outage = replace(traffic, outage=(0.0, 0.0))
    ends = [-BIN * past for past in range(int(HISTORY / BIN))]
    bins = [without_outage.of(rng, 1.0, traffic.stable_errors, end, BIN) for end in ends]
    baseline = summarize_minutes(bins)
    step_levels = levels(plan.analysis, len(plan.steps), baseline.rate, plan.limits.ceiling)
    begun_at = float(plan.analysis.warmup_seconds)
    evidence = initial_evidence(Source.ROUTER, plan.limits, step_levels, begun_at, baseline)
    return start_bake(evidence, plan.limits.ceiling) if plan.bakes else evidence, step_levels


def _draw_window(
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


def _build_poll(
    plan: Plan,
    evidence: SourceEvidence,
    seen: WindowCounts,
    step_levels: tuple[float, ...],
    step: int,
    now: float,
) -> Poll:
    return Poll(
        views=tuple(
            SourceView(source, evidence, seen, step_levels) for source in plan.limits.sources
        ),
        request=MADE_UP,
        limits=plan.limits,
        analysis=plan.analysis,
        step=step,
        now=now,
        bake=plan.bakes,
        compared=plan.steps[step].weight < FULL_WEIGHT,
    )


def _canary_counts(evidence: SourceEvidence) -> Counts:
    return Counts(evidence.canary_requests, evidence.canary_errors)


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
"""A placeholder: a simulation does not query Prometheus."""
