"""Judge a new revision by its errors, at any time and as often as one likes.

`begin` once, when the warm-up is over; then `judge` at every poll. All state is in the evidence.
"""

from collections.abc import Mapping
from dataclasses import replace

from halimede.api.rollout import Analysis
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.bake import begun
from halimede.judge.counts import Counted, count, taken
from halimede.judge.indicators import custom
from halimede.judge.limits import levels, limits
from halimede.judge.past import Past, past
from halimede.judge.reading import (
    METRICS,
    History,
    Measured,
    Reading,
    Tallied,
    Unavailable,
    Why,
)
from halimede.judge.rule import Case, View, decide
from halimede.judge.verdict import Judgement, Verdict
from halimede.judge.weigh import UNKNOWN, fresh, weigh

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
    known: dict[str, Measured | Tallied] = {}
    for source in bounds.sources:
        answer = history.answers.get(source, _NOT_ASKED) if history else _NOT_ASKED
        if isinstance(answer, Unavailable):
            return _not_begun(answer, previous, now)
        known[source] = answer
    pasts = {
        source: past(source, answer, history.request)
        for source, answer in known.items()
        if history is not None
    }
    rates = [
        one.rate
        for source, one in pasts.items()
        if one.rate is not None and not source.startswith(METRICS)
    ]
    fixed = levels(analysis, max(steps, 1), max(rates, default=None))
    worst = max((one.dispersion for one in pasts.values()), default=1.0)
    return Evidence(
        levels=fixed,
        sources=tuple(
            _own(source, analysis, len(fixed), now, replace(one, dispersion=worst))
            if source.startswith(METRICS)
            else fresh(source, bounds, fixed, now, one)
            for source, one in pasts.items()
        ),
    )


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
) -> Judgement:
    """Add what the reading shows to the evidence and say what it allows in *step* (from 0).

    In the *bake* nothing passes, and what stable's past allows for is a ceiling too.

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
    baked = _baked(evidence, bounds.ceiling) if bake else evidence
    case = Case(
        views=tuple(
            _view(source, baked, reading, analysis, now, pods_started or {})
            for source in bounds.sources
        ),
        request=reading.request,
        limits=bounds,
        analysis=analysis,
        step=at,
        levels=evidence.levels,
        now=now,
        bake=bake,
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


def _own(
    source: str, analysis: Analysis, steps: int, now: float, known: Past = UNKNOWN
) -> SourceEvidence:
    """Start an objective of the user's own, with demands of its own.

    Its errors cluster as much as those of the source where they do most: its own past does not
    tell.
    """
    own = levels(analysis, steps, known.rate, source)
    held = fresh(source, limits(analysis), own, now, known)
    return held.model_copy(update={"levels": own})


def _view(
    source: str,
    evidence: Evidence,
    reading: Reading,
    analysis: Analysis,
    now: float,
    pods_started: Mapping[str, float],
) -> View:
    bounds = limits(analysis)
    held = _held(source, evidence) or _fresh(source, analysis, evidence, now)
    asked = next((one for one in reading.request.indicators if one.source == source), None)
    if asked is None and source in custom(analysis):
        return View(source, held, None)
    answer = reading.answers.get(source, _NOT_ASKED)
    match answer:
        case Unavailable():
            return View(source, held, answer)
        case Tallied():
            seen: Counted | Unavailable = (
                _NOT_ASKED
                if asked is None
                else taken(answer, reading.request, asked, held.watermark)
            )
        case Measured():
            seen = count(
                source,
                answer,
                reading.request,
                begun_at=held.begun_at,
                after=held.watermark,
                pods_started=pods_started,
            )
    if isinstance(seen, Counted):
        held = weigh(held, seen, bounds, evidence.levels)
    return View(source, held, seen)


def _baked(evidence: Evidence, most: float) -> Evidence:
    """Let the bake's test begin on the sources on which it has not."""
    sources = tuple(
        begun(held, most) if held.bake_ceiling is None else held for held in evidence.sources
    )
    return evidence.model_copy(update={"sources": sources})


def _fresh(source: str, analysis: Analysis, evidence: Evidence, now: float) -> SourceEvidence:
    """Start a source that was added to the spec in mid-rollout."""
    if source.startswith(METRICS):
        return _own(source, analysis, len(evidence.levels), now)
    return fresh(source, limits(analysis), evidence.levels, now)


def _held(source: str, evidence: Evidence) -> SourceEvidence | None:
    return next((held for held in evidence.sources if held.source == source), None)


def _written(evidence: Evidence, case: Case, verdict: Verdict, message: str) -> Evidence:
    down, missing = evidence.metrics_down_since, evidence.no_data_since
    if verdict is Verdict.METRICS_DOWN:
        down = down or case.now
    else:
        down = None
        missing = (missing or case.now) if verdict is Verdict.NO_DATA else None
    return Evidence(
        levels=evidence.levels,
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
