"""Forecast how long a rollout would take and what it would detect.

The forecast simulates rollouts with the real judge: once with evenly spread requests, for the
expected times, and repeatedly with random requests from fixed seeds, for the probabilities.
"""

from dataclasses import dataclass, replace
from statistics import median

from halimede.api.reasons import Verdict
from halimede.api.rollout import Mirror, Rollout, Step, Strategy
from halimede.forecast.simulation import (
    MADE_UP,
    ROUTE_SECONDS,
    EvenTraffic,
    Plan,
    Traffic,
    run,
    runs,
)
from halimede.judge.evidence import initial_evidence
from halimede.judge.sample_size import StepTest, requests_to_pass
from halimede.judge.thresholds import limits
from halimede.rollout.pace import pace_defaults
from halimede.rollout.sizing.first_weight import weight_for, with_first_weight
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.steps import bake_seconds, usual_control_percent
from halimede.rollout.traffic_advice import Advice, advise

BAD = (0.01, 0.02, 0.05, 0.2, 1.0)
"""Error rates of the bad revisions that are simulated."""
REPEATS = 100
"""Random rollouts for each figure: a fraction is accurate within 10 percentage points."""
PATIENCE_FACTOR = 10.0
"""Multiple of its `maxSeconds` after which the simulation of a step ends."""


@dataclass(frozen=True, slots=True)
class ForecastInput:
    """The settings and the traffic of a forecast."""

    settings: Rollout
    per_second: float
    """Requests per second to the model as a whole."""
    stable_errors: float
    """Error rate of the stable revision, from 0 to 1."""
    no_router: bool = False
    """Whether there is no router, so that the bake has no control share."""

    @property
    def control(self) -> int:
        """The control share: the percentage of requests to the stable revision in the bake."""
        settings = self.settings
        return usual_control_percent(
            settings.strategy, settings, self.per_second, by_pods=self.no_router
        )


@dataclass(frozen=True, slots=True)
class StepForecast:
    """The forecast of a step for a good revision."""

    step: Step
    per_second: float
    """Requests per second at the step's weight."""
    level: float
    """The error rate that the step's certificate must exclude; 1 if nothing is judged."""
    clean: int | None
    """Requests since the warm-up that suffice if none fails; None: millions do not suffice."""
    requests: int | None
    """About how many suffice at the stable revision's error rate; None: the step cannot pass."""
    had: int | None
    """Requests that the revision has had when it passes; None: the simulation ended before."""
    seconds: float | None
    """Time from when the weight is live until it passes; None: the simulation ended before."""


@dataclass(frozen=True, slots=True)
class Detection:
    """How reliably a bad revision is aborted at one weight."""

    errors: float
    """Its error rate, from 0 to 1."""
    share: float
    """The fraction of rollouts that are aborted in time."""
    seconds: float | None
    """Median time from when the weight is live to the abort; None: none is aborted."""


@dataclass(frozen=True, slots=True)
class MirrorForecast:
    """How reliably a good revision passes with mirrored requests, before the first step."""

    mirror: Mirror
    share: float
    """The fraction of rollouts that pass in time."""
    seconds: float | None
    """Median time of those; None: there are none."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of a rollout."""

    question: ForecastInput
    steps: tuple[StepForecast, ...]
    """Empty if there are no steps."""
    promoted: float | None
    """The fraction of good revisions that are promoted within every step's `maxSeconds`."""
    seconds: float | None
    """Median time of those, from the first ready pod; None: there are none."""
    detections: tuple[Detection, ...]
    """At the first step; empty if there are no steps."""
    bake: tuple[Detection, ...]
    """In the bake, with a baseline of two hours; empty if there is no bake. While the odds hold a
    revision, the bake is extended, and the revision can still be aborted."""
    advice: tuple[Advice, ...]
    mirrored: MirrorForecast | None = None
    """Before the first step; None: nothing is mirrored."""
    first_weight: int | None = None
    """The first step's weight as chosen by the traffic; None: the spec has the steps."""

    @property
    def commit_seconds(self) -> float | None:
        """Median time of those until the commit; None: there are none."""
        if self.seconds is None:
            return None
        settings = self.question.settings
        moved = ROUTE_SECONDS + settings.analysis.settle_seconds if self.question.control else 0.0
        return self.seconds + bake_seconds(settings.strategy, settings) + moved


def forecast_rollout(question: ForecastInput, repeats: int = REPEATS) -> Forecast:
    """Forecast a rollout with these settings under this traffic.

    Args:
        question: The settings and the traffic.
        repeats: The number of random rollouts for each figure.

    Raises:
        ValueError: No step has a weight over 0.
    """
    if question.settings.strategy is not Strategy.CANARY:
        return Forecast(question, (), None, None, (), _bake_detections(question, repeats), ())
    if question.settings.canary.steps:
        return _forecast_steps(question, repeats)
    defaults = pace_defaults(question.settings)
    weight = weight_for(question.per_second, defaults)
    settings = with_first_weight(question.settings, weight)
    forecast = _forecast_steps(replace(question, settings=settings), repeats)
    # The rollout warms up at the lowest weight, and is raised to the chosen one after that.
    later = ROUTE_SECONDS if weight > defaults.least_weight else 0.0
    seconds = None if forecast.seconds is None else forecast.seconds + later
    return replace(forecast, first_weight=weight, seconds=seconds)


def _forecast_steps(question: ForecastInput, repeats: int) -> Forecast:
    plan = Plan(_judged_steps(question), question.settings.analysis)
    ends = list(runs(plan, _good_revision(question, Traffic), repeats))
    promoted = [end.seconds for end in ends if end.verdict is Verdict.PASS]
    steps = _step_forecasts(question)
    return Forecast(
        question=question,
        steps=steps,
        promoted=len(promoted) / len(ends),
        seconds=median(promoted) + _route_seconds(question) if promoted else None,
        detections=_detections(question, Plan(plan.steps[:1], plan.analysis), repeats),
        bake=_bake_detections(question, repeats),
        advice=tuple(
            advise(
                question.settings,
                question.per_second,
                [step.requests for step in steps],
                [step.had for step in steps],
            )
        ),
        mirrored=_mirror_forecast(question, repeats),
    )


def _mirror_forecast(question: ForecastInput, repeats: int) -> MirrorForecast | None:
    mirror = question.settings.canary.mirror
    if mirror is None:
        return None
    first = Step(
        weight=mirror.percent, min_seconds=mirror.min_seconds, max_seconds=mirror.max_seconds
    )
    # Mirrored requests must meet the level of the first step.
    plan = Plan((first, *_judged_steps(question)[1:]), question.settings.analysis)
    ends = runs(plan, _good_revision(question, Traffic), repeats)
    passed = [end.passed[0].seconds for end in ends if end.passed]
    return MirrorForecast(mirror, len(passed) / repeats, median(passed) if passed else None)


def _good_revision(question: ForecastInput, kind: type[Traffic]) -> Traffic:
    return kind(question.per_second, question.stable_errors, question.stable_errors)


def _judged_steps(question: ForecastInput) -> tuple[Step, ...]:
    """Return the steps with a weight over 0: all, or all but the first."""
    judged = tuple(step for step in question.settings.canary.steps if step.weight)
    if not judged:
        raise ValueError("spec.rollout.canary.steps: add a step with a weight of more than 0")
    return judged


def _route_seconds(question: ForecastInput) -> float:
    """Compute the time before the first traffic and after the last step.

    It is that of a first step without traffic, of the changes of the route to weight 0, to the
    first weight, and to all requests, and of proxies that discover the new revision.
    """
    before = sum(
        _unjudged_seconds(step) for step in question.settings.canary.steps if not step.weight
    )
    return before + 3 * ROUTE_SECONDS + question.settings.analysis.settle_seconds


def _unjudged_seconds(step: Step) -> float:
    """Return the seconds of a step in which nothing is judged."""
    return step.min_seconds + ((step.pause.seconds or 0) if step.pause else 0)


def _step_forecasts(question: ForecastInput) -> tuple[StepForecast, ...]:
    steps, analysis = _judged_steps(question), question.settings.analysis
    expected = run(
        Plan(steps, analysis, patience=PATIENCE_FACTOR), _good_revision(question, EvenTraffic), 0
    )
    bounds = limits(analysis)
    nothing = initial_evidence(bounds.sources[0], bounds, expected.levels, 0.0)

    def of(index: int, step: Step) -> StepForecast:
        exam = StepTest(nothing, expected.levels, index, analysis, MADE_UP)
        passed = expected.passed[index] if index < len(expected.passed) else None
        return StepForecast(
            step=step,
            per_second=question.per_second * step.weight / 100,
            level=expected.levels[index],
            clean=requests_to_pass(exam),
            requests=requests_to_pass(exam, question.stable_errors),
            had=passed.canary.requests if passed else None,
            seconds=passed.seconds if passed else None,
        )

    without = (
        StepForecast(step, 0.0, FULL_WEIGHT / 100, 0, 0, 0, _unjudged_seconds(step))
        for step in question.settings.canary.steps
        if not step.weight
    )
    return (*without, *(of(index, step) for index, step in enumerate(steps)))


def _bake_detections(question: ForecastInput, repeats: int) -> tuple[Detection, ...]:
    settings, analysis = question.settings, question.settings.analysis
    if settings.strategy is Strategy.CANARY:  # the warm-up was before the first step
        analysis = analysis.evolve(warmup_seconds=0)
    seconds = bake_seconds(settings.strategy, settings)
    if not seconds:
        return ()
    step = Step(weight=FULL_WEIGHT - question.control, min_seconds=0, max_seconds=seconds)
    return _detections(question, Plan((step,), analysis, bakes=True), repeats)


def _detections(question: ForecastInput, judged: Plan, repeats: int) -> tuple[Detection, ...]:
    plan = replace(judged, promotes=False)
    detections = []
    for errors in BAD:
        traffic = Traffic(question.per_second, question.stable_errors, errors)
        ends = runs(plan, traffic, repeats)
        stopped = [end.seconds for end in ends if end.verdict is Verdict.ABORT]
        middle = median(stopped) if stopped else None
        detections.append(Detection(errors, len(stopped) / repeats, middle))
    return tuple(detections)
