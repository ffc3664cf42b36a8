"""Format a forecast as plain text with tables."""

from collections.abc import Iterator, Sequence

from halimede.api.analysis import MetricsProvider
from halimede.api.rollout import Rollout, Strategy
from halimede.forecast.forecast import Detection, Forecast
from halimede.judge.messages import percent
from halimede.rollout.formatting import duration, rate
from halimede.rollout.pace import describe_defaults
from halimede.rollout.steps import bake_seconds
from halimede.rollout.traffic_advice import describe


def format_forecast(name: str, forecast: Forecast) -> str:
    """Format the forecast of a rollout of the ModelDeployment *name*."""
    return "\n".join([*_head(name, forecast), *_body(forecast), *_warnings(forecast)]) + "\n"


def _head(name: str, forecast: Forecast) -> Iterator[str]:
    question = forecast.question
    analysis = question.settings.analysis
    both = analysis.provider is not MetricsProvider.NONE
    where = "the router's and Triton's counters" if both else "Triton's counters alone"
    yield (
        f"{name}: {question.settings.strategy} at {rate(question.per_second)} requests/s,"
        f" of which {percent(question.stable_errors)} fail on the stable revision"
    )
    yield (
        f"Judged by {where} every {duration(analysis.interval_seconds)},"
        f" after a warm-up of {duration(analysis.warmup_seconds)}."
    )
    settings, chosen = question.settings, forecast.first_weight is not None
    if defaults := describe_defaults(settings, steps=chosen):
        yield f"{defaults}."
    if left_out := " and ".join(_left_out(question.settings)):
        yield f"Not simulated: {left_out}; this may delay or abort the rollout."


def _left_out(settings: Rollout) -> Iterator[str]:
    """Yield the fields of the analysis that the forecast does not simulate."""
    if settings.analysis.latency is not None:
        yield "analysis.latency"
    if settings.analysis.metrics:
        yield "analysis.metrics"
    if settings.strategy is Strategy.BLUE_GREEN and settings.blue_green.preview_analysis:
        yield "blueGreen.previewAnalysis"


def _body(forecast: Forecast) -> Iterator[str]:
    if forecast.steps:
        yield from _good(forecast)
        first = next(entry.step for entry in forecast.steps if entry.step.weight)
        yield ""
        weight, limit = f"{first.weight} %", duration(first.max_seconds)
        yield f"A bad revision at the first step, with {weight} of the requests for {limit}:"
        yield from _detections(forecast.detections)
    yield ""
    bake = bake_seconds(forecast.question.settings.strategy, forecast.question.settings)
    if not bake:
        yield "There is no bake (bakeSeconds is 0): nothing is judged with all requests."
        return
    control = forecast.question.control
    share = f"{100 - control} % of the" if control else "all"
    yield (
        f"A revision that is bad in the bake, with {share} requests for {duration(bake)}"
        " (longer while the odds are against it):"
    )
    yield from _detections(forecast.bake)


def _good(forecast: Forecast) -> Iterator[str]:
    yield ""
    yield "A good revision, one that fails no more often than the stable one:"
    head = (
        "step",
        "weight",
        "requests/s",
        "to show",
        "clean",
        "with errors",
        "time",
        "maxSeconds",
    )
    rows = [
        (
            str(index + 1),
            f"{entry.step.weight} %",
            rate(entry.per_second),
            f"under {percent(entry.level)}" if entry.step.weight else "-",
            "-" if entry.clean is None else str(entry.clean),
            "never" if entry.requests is None else str(entry.requests),
            "-" if entry.seconds is None else duration(entry.seconds),
            duration(entry.step.max_seconds),
        )
        for index, entry in enumerate(forecast.steps)
    ]
    yield from _table(head, rows)
    yield "  clean: requests after the warm-up with which the step can pass if none fails;"
    yield "  with errors: the same, if as many fail as on the stable revision"
    yield from _first_weight(forecast)
    yield from _mirror(forecast)
    yield from _pauses(forecast)
    yield from _totals(forecast)


def _first_weight(forecast: Forecast) -> Iterator[str]:
    if forecast.first_weight is not None:
        yield (
            f"  first weight {forecast.first_weight} %, chosen from the traffic, because"
            " spec.rollout.canary.steps is not set"
        )


def _mirror(forecast: Forecast) -> Iterator[str]:
    mirrored = forecast.mirrored
    if mirrored is None:
        return
    percent_, passing = mirrored.mirror.percent, _percentage(mirrored.share)
    took = "-" if mirrored.seconds is None else duration(mirrored.seconds)
    yield f"  before that, mirroring of {percent_} % of the requests: {passing} pass in time,"
    yield f"  half of these within {took}"


def _pauses(forecast: Forecast) -> Iterator[str]:
    pauses = {
        index + 1: entry.step.pause
        for index, entry in enumerate(forecast.steps)
        if entry.step.pause
    }
    if any(pause.seconds is not None for pause in pauses.values()):
        yield "  time: including the step's pause"
    for step, pause in pauses.items():
        if pause.seconds is None:
            yield (
                f"  after step {step} the rollout waits for the command promote; this time is"
                " not included"
            )


def _totals(forecast: Forecast) -> Iterator[str]:
    if forecast.promoted is None:
        return
    yield f"  {_percentage(forecast.promoted)} of simulated rollouts pass every step in time"
    if forecast.seconds is not None and forecast.commit_seconds is not None:
        took, committed = duration(forecast.seconds), duration(forecast.commit_seconds)
        yield f"  half of these take at most {took}, from ready pods to all requests,"
        yield f"  and at most {committed} to the commit after the bake"


def _percentage(part: float) -> str:
    return f"{part * 100:.0f} %"


def _detections(detections: Sequence[Detection]) -> Iterator[str]:
    rows = [
        (
            percent(detection.errors),
            _percentage(detection.share),
            "-" if detection.seconds is None else duration(detection.seconds),
        )
        for detection in detections
    ]
    yield from _table(("errors", "aborted in time", "half of these within"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    for row in (head, *rows):
        cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(cells)


def _warnings(forecast: Forecast) -> Iterator[str]:
    lines = [
        *_impossible_steps(forecast),
        *(describe(advice, forecast.question.settings) for advice in forecast.advice),
        *_undetected(forecast),
    ]
    if lines:
        yield ""
        yield from (f"Warning: {line}" for line in lines)


def _impossible_steps(forecast: Forecast) -> Iterator[str]:
    errors = percent(forecast.question.stable_errors)
    for index, entry in enumerate(forecast.steps):
        if entry.requests is None:
            yield (
                f"step {index + 1} requires an error rate under {percent(entry.level)}, which a"
                f" revision with {errors} errors cannot show: raise analysis.maxErrorPercent"
                " or analysis.maxErrorRatio, or fix the stable revision first."
            )


def _undetected(forecast: Forecast) -> Iterator[str]:
    blue_green = forecast.question.settings.strategy is Strategy.BLUE_GREEN
    bake = f"{'blueGreen' if blue_green else 'canary'}.bakeSeconds"
    for where, detections, setting in (
        ("at the first step", forecast.detections, "its maxSeconds"),
        ("in the bake", forecast.bake, bake),
    ):
        if detections and detections[-1].seconds is None:
            yield (
                f"{where}, even a revision that fails every request is not aborted in time:"
                f" there are too few requests or polls; raise {setting}."
            )
