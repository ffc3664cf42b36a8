"""Judge a new revision by its errors, at any time and as often as one likes.

`begin` once, when the warm-up is over; then `judge` at every poll. All state is in the evidence.
"""

from collections.abc import Mapping
from dataclasses import replace

from halimede.api.rollout import Analysis
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.bake import begun
from halimede.judge.counts import Counted, count, flaw, taken
from halimede.judge.indicators import custom
from halimede.judge.limits import Limits, levels, limits
from halimede.judge.past import Past, past
from halimede.judge.reading import History, Measured, Reading, Unavailable, Why
from halimede.judge.rule import Case, View, decide
from halimede.judge.traffic import per_second, requested_at
from halimede.judge.verdict import Judgement, Verdict
from halimede.judge.weigh import fresh, uncompared, weigh

_NOT_ASKED = Unavailable(Why.UNREACHABLE, "Prometheus has not been asked yet")


def begin(
    analysis: Analysis,
    steps: int,
    history: History | None,
    now: float,
    *,
    previous: Evidence | None = None,
) -> Evidence:
    """Fix what every step must show, and start to count at *now*: the warm-up is over.

    Call it with the history of a reading whose request's `since` was None. While a source of the
    history cannot be read, the answer has no sources and the verdict `MetricsDown`: it has not
    begun, `since` of it is still None, and the next poll calls `begin` again with the answer as
    *previous*.
    """
    bounds = limits(analysis)
    pasts = _pasts(bounds, history)
    if isinstance(pasts, Unavailable):
        return _not_begun(pasts, previous, now)
    errors = [one.rate for source, one in pasts.items() if source not in bounds.others]
    rates = [rate for rate in errors if rate is not None]
    fixed = levels(analysis, max(steps, 1), max(rates, default=None))
    seen = [one.per_second for one in pasts.values() if one.per_second is not None]
    worst = max((one.dispersion for one in pasts.values()), default=1.0)
    return Evidence(
        levels=fixed,
        requests_per_second=round(min(seen), 3) if seen else None,
        sources=tuple(
            fresh(
                source,
                bounds,
                _own(source, analysis, fixed, one.rate),
                now,
                replace(one, dispersion=worst) if source in custom(analysis) else one,
            )
            for source, one in pasts.items()
        ),
    )


def _pasts(bounds: Limits, history: History | None) -> dict[str, Past] | Unavailable:
    """Sum up what each source tells of stable's past, or say why one cannot."""
    if history is None:
        return _NOT_ASKED
    pasts = {}
    for source in bounds.sources:
        answer = history.answers.get(source, _NOT_ASKED)
        if isinstance(answer, Unavailable):
            return answer
        wrong = flaw(source, answer, history.request) if isinstance(answer, Measured) else None
        if wrong is not None:
            return wrong
        pasts[source] = past(source, answer, history.request)
    return pasts


def judge(
    evidence: Evidence,
    reading: Reading,
    analysis: Analysis,
    step: int,
    steps: int,
    now: float,
    *,
    pods_started: Mapping[str, float] | None = None,
    bake: bool = False,
    rehearsal: bool = False,
) -> Judgement:
    """Add what the reading shows to the evidence and say what it allows in *step* (from 0).

    In the *bake* nothing passes, and what stable's past allows for is a ceiling too. In a
    *rehearsal* no user gets the canary's answers: it is not compared with stable, and only
    Triton, which sees all that reaches it, must have data.

    *pods_started* tells when pods started (UNIX seconds by pod name): all that a pod did which
    started after the warm-up counts. Without it such a pod's requests before its first scrape
    are left out.

    Raises:
        ValueError: the evidence has not begun.
    """
    if not evidence.sources:
        raise ValueError("The evidence has not begun: call begin() with the history first")
    bounds = limits(analysis)
    at = examined(evidence, step, steps)
    baked = _baked(evidence, bounds) if bake else evidence
    views = tuple(
        _view(source, baked, reading, analysis, pods_started or {}, now)
        for source in bounds.sources
    )
    if rehearsal:
        views = tuple(replace(view, held=uncompared(view.held)) for view in views)
    case = Case(
        views=views,
        request=reading.request,
        limits=bounds,
        analysis=analysis,
        step=at,
        now=now,
        bake=bake,
        rehearsal=rehearsal,
        requested_at=requested_at(evidence, (view.held for view in views), now),
    )
    verdict, message = decide(case)
    return Judgement(verdict, _written(evidence, case, verdict, message), message)


def examined(evidence: Evidence, step: int, steps: int) -> int:
    """Find the level that *step* (from 0) must show; the last one if the steps were edited since.

    >>> examined(Evidence(levels=(0.06, 0.03, 0.015)), 1, 3)
    1
    >>> examined(Evidence(levels=(0.06, 0.03, 0.015)), 0, 2)
    2
    """
    last = len(evidence.levels) - 1
    return min(step if steps == len(evidence.levels) else last, last)


def _view(
    source: str,
    evidence: Evidence,
    reading: Reading,
    analysis: Analysis,
    pods_started: Mapping[str, float],
    now: float,
) -> View:
    bounds = limits(analysis)
    held = _held(source, evidence) or _late(source, evidence, analysis, now)
    fixed = demanded(evidence, held)
    asked = next((one for one in reading.request.indicators if one.source == source), None)
    if asked is None and source in custom(analysis):
        return View(source, held, None, fixed)
    answer = reading.answers.get(source, _NOT_ASKED)
    seen: Counted | Unavailable = _NOT_ASKED
    if isinstance(answer, Unavailable):
        seen = answer
    elif isinstance(answer, Measured):
        seen = count(
            source,
            answer,
            reading.request,
            begun_at=held.begun_at,
            after=held.watermark,
            pods_started=pods_started,
        )
    elif asked is not None:
        seen = taken(answer, reading.request, asked, held.watermark)
    if isinstance(seen, Counted):
        held = weigh(held, seen, bounds)
    return View(source, held, seen, fixed)


def demanded(evidence: Evidence, held: SourceEvidence) -> tuple[float, ...]:
    """List what a source's certificates must exclude, step by step."""
    return held.levels or evidence.levels


def _own(
    source: str, analysis: Analysis, shared: tuple[float, ...], stable_rate: float | None
) -> tuple[float, ...]:
    """List what a source's certificates are to exclude: errors are the same thing everywhere."""
    if source not in limits(analysis).others:
        return shared
    return levels(analysis, len(shared), stable_rate, source)


def _late(source: str, evidence: Evidence, analysis: Analysis, now: float) -> SourceEvidence:
    """Begin with a source that was declared in mid-rollout."""
    fixed = _own(source, analysis, evidence.levels, None)
    return fresh(source, limits(analysis), fixed, now)


def _baked(evidence: Evidence, bounds: Limits) -> Evidence:
    """Let the bake's test begin on the sources on which it has not."""
    sources = tuple(
        begun(held, bounds.ceiling_of(held.source)) if held.bake_ceiling is None else held
        for held in evidence.sources
    )
    return evidence.model_copy(update={"sources": sources})


def _held(source: str, evidence: Evidence) -> SourceEvidence | None:
    return next((held for held in evidence.sources if held.source == source), None)


def _written(evidence: Evidence, case: Case, verdict: Verdict, message: str) -> Evidence:
    down, missing = evidence.metrics_down_since, evidence.no_data_since
    if verdict is Verdict.METRICS_DOWN:
        down = down or case.now
    else:
        down = None
        since = case.now if case.quiet_for is None else case.requested_at
        missing = (missing or since) if verdict is Verdict.NO_DATA else None
    return Evidence(
        levels=evidence.levels,
        requests_per_second=per_second(
            evidence.requests_per_second,
            (view.held for view in case.views),
            rehearsal=case.rehearsal,
        ),
        requested_at=case.requested_at,
        sources=tuple(view.held for view in case.views),
        verdict=verdict,
        message=message,
        no_data_since=missing,
        metrics_down_since=down,
        bake_looks=evidence.bake_looks + (case.bake and down is None),
    )


def _not_begun(answer: Unavailable, previous: Evidence | None, now: float) -> Evidence:
    since = previous.metrics_down_since if previous else None
    return Evidence(
        verdict=Verdict.METRICS_DOWN, message=answer.message, metrics_down_since=since or now
    )
