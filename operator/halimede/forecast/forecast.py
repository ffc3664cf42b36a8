"""What a rollout will take, told before it begins.

The judge itself is asked, by simulation: first with evenly spread requests, which gives what is to
be expected, then with requests that come at random, from fixed seeds, which gives how often.
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
from halimede.rollout.sizing.first_weight import LOWEST, weight_for, with_first_weight
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.steps import bake_seconds, usual_control_percent
from halimede.rollout.traffic_advice import Advice, advise

BAD = (0.01, 0.02, 0.05, 0.2, 1.0)
"""Error rates of bad revisions whose end is foretold."""
REPEATS = 100
"""Rollouts drawn at random for each figure: a share is right within 10 percentage points."""
MAX_WAIT_SECONDS = 10.0
"""A step that would take longer than this many times its `maxSeconds` is not waited for."""


@dataclass(frozen=True, slots=True)
class ForecastInput:
    """What is asked."""

    settings: Rollout
    per_second: float
    """Requests per second to the model as a whole."""
    stable_errors: float
    """Error rate of the stable revision, from 0 to 1."""
    no_router: bool = False
    """There is no router, so that nothing stays on the stable revision in the bake."""

    @property
    def control(self) -> int:
        """Percentage of the requests that stay on the stable revision in the bake."""
        settings = self.settings
        return usual_control_percent(
            settings.strategy, settings, self.per_second, by_pods=self.no_router
        )


@dataclass(frozen=True, slots=True)
class StepForecast:
    """What a good revision will meet at a step."""

    step: Step
    per_second: float
    """Requests per second that the weight gives it."""
    level: float
    """The error rate that the step's certificate must exclude; 1 where nothing is judged."""
    clean: int | None
    """Requests since the warm-up that suffice if none fails; None: millions do not."""
    requests: int | None
    """About how many suffice with the stable revision's errors; None: it cannot pass with them."""
    had: int | None
    """Requests that it will have had when it passes."""
    seconds: float | None
    """Its time at this step, from the moment when the weight is live; None: too long to tell."""


@dataclass(frozen=True, slots=True)
class Detection:
    """How a bad revision fares at one weight."""

    errors: float
    """Its error rate, from 0 to 1."""
    share: float
    """In which part of the rollouts it is stopped in time."""
    seconds: float | None
    """Median time to its stop, where it is stopped, from the moment when the weight is live."""


@dataclass(frozen=True, slots=True)
class MirrorForecast:
    """How a good revision fares with copies of requests, before its first step."""

    mirror: Mirror
    share: float
    """In which part of the rollouts the copies show enough in time."""
    seconds: float | None
    """Median time of those; None: there are none."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a rollout will take."""

    question: ForecastInput
    steps: tuple[StepForecast, ...]
    """Empty where there are no steps."""
    promoted: float | None
    """The part of good revisions that are promoted within every step's `maxSeconds`."""
    seconds: float | None
    """Median time of those, from the first pod that is ready; None: there are none."""
    detections: tuple[Detection, ...]
    """At the first step; empty where there are no steps."""
    bake: tuple[Detection, ...]
    """In the bake, after stable's errors of two hours; empty if there is none. A revision that
    the odds hold in the bake is stopped when they suffice, though the time is over."""
    advice: tuple[Advice, ...]
    mirrored: MirrorForecast | None = None
    """Before the first step; None: nothing is copied."""
    first_weight: int | None = None
    """The first step's weight that the traffic chooses; None: the spec names the steps."""


def forecast_rollout(question: ForecastInput, repeats: int = REPEATS) -> Forecast:
    """Tell what a rollout with these settings will take under this traffic.

    Args:
        question: The settings and the traffic.
        repeats: How many rollouts are drawn at random for each figure.

    Raises:
        ValueError: No step gives any traffic.
    """
    if question.settings.strategy is not Strategy.CANARY:
        return Forecast(question, (), None, None, (), _baked(question, repeats), ())
    if question.settings.canary.steps:
        return _stepwise(question, repeats)
    weight = weight_for(question.per_second)
    settings = with_first_weight(question.settings, weight)
    told = _stepwise(replace(question, settings=settings), repeats)
    # It is raised to that weight once the warm-up is over, at the lowest one.
    later = _changing(question) if weight > LOWEST else 0.0
    seconds = None if told.seconds is None else told.seconds + later
    return replace(told, first_weight=weight, seconds=seconds)


def _stepwise(question: ForecastInput, repeats: int) -> Forecast:
    plan = Plan(_judged(question), question.settings.analysis)
    ends = list(runs(plan, _good(question, Traffic), repeats))
    promoted = [end.seconds for end in ends if end.verdict is Verdict.PASS]
    steps = _steps(question)
    return Forecast(
        question=question,
        steps=steps,
        promoted=len(promoted) / len(ends),
        seconds=median(promoted) + _moving(question) if promoted else None,
        detections=_detections(question, Plan(plan.steps[:1], plan.analysis), repeats),
        bake=_baked(question, repeats),
        advice=tuple(
            advise(
                question.settings,
                question.per_second,
                [one.requests for one in steps],
                [one.had for one in steps],
            )
        ),
        mirrored=_mirrored(question, repeats),
    )


def _mirrored(question: ForecastInput, repeats: int) -> MirrorForecast | None:
    mirror = question.settings.canary.mirror
    if mirror is None:
        return None
    first = Step(
        weight=mirror.percent, min_seconds=mirror.min_seconds, max_seconds=mirror.max_seconds
    )
    # Copies are to show what the first step is.
    plan = Plan((first, *_judged(question)[1:]), question.settings.analysis)
    ends = runs(plan, _good(question, Traffic), repeats)
    passed = [end.passed[0].seconds for end in ends if end.passed]
    return MirrorForecast(mirror, len(passed) / repeats, median(passed) if passed else None)


def _good(question: ForecastInput, kind: type[Traffic]) -> Traffic:
    return kind(question.per_second, question.stable_errors, question.stable_errors)


def _judged(question: ForecastInput) -> tuple[Step, ...]:
    """Find the steps that give traffic: all, or all but the first."""
    judged = tuple(step for step in question.settings.canary.steps if step.weight)
    if not judged:
        raise ValueError("spec.rollout.canary.steps: add one with a weight over 0")
    return judged


def _moving(question: ForecastInput) -> float:
    """Sum up the time before the first traffic and after the last step.

    It is that of a first step without traffic, and of the changes of the route: to weight 0, to
    the first weight, and to everything.
    """
    before = sum(_unjudged(one) for one in question.settings.canary.steps if not one.weight)
    return before + 3 * _changing(question)


def _changing(question: ForecastInput) -> float:
    """Say how long it takes until a change of the route is live."""
    return ROUTE_SECONDS + question.settings.analysis.settle_seconds


def _unjudged(step: Step) -> float:
    """Say how long a step takes in which nothing is judged."""
    return step.min_seconds + ((step.pause.seconds or 0) if step.pause else 0)


def _steps(question: ForecastInput) -> tuple[StepForecast, ...]:
    steps, analysis = _judged(question), question.settings.analysis
    expected = run(
        Plan(steps, analysis, patience=MAX_WAIT_SECONDS), _good(question, EvenTraffic), 0
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
        StepForecast(step, 0.0, FULL_WEIGHT / 100, 0, 0, 0, _unjudged(step))
        for step in question.settings.canary.steps
        if not step.weight
    )
    return (*without, *(of(index, step) for index, step in enumerate(steps)))


def _baked(question: ForecastInput, repeats: int) -> tuple[Detection, ...]:
    settings, analysis = question.settings, question.settings.analysis
    if settings.strategy is Strategy.CANARY:  # it has been judged since its first step
        analysis = analysis.evolve(warmup_seconds=0)
    seconds = bake_seconds(settings.strategy, settings)
    if not seconds:
        return ()
    step = Step(weight=FULL_WEIGHT - question.control, min_seconds=0, max_seconds=seconds)
    return _detections(question, Plan((step,), analysis, bakes=True), repeats)


def _detections(question: ForecastInput, judged: Plan, repeats: int) -> tuple[Detection, ...]:
    plan = replace(judged, promotes=False)
    found = []
    for errors in BAD:
        traffic = Traffic(question.per_second, question.stable_errors, errors)
        ends = runs(plan, traffic, repeats)
        stopped = [end.seconds for end in ends if end.verdict is Verdict.ABORT]
        middle = median(stopped) if stopped else None
        found.append(Detection(errors, len(stopped) / repeats, middle))
    return tuple(found)
