"""Judge a new revision by its errors, at any time and as often as one likes.

`begin` once, when the warm-up is over; then `judge` at every poll. All state is in the evidence.
"""

from collections.abc import Mapping
from dataclasses import replace

from halimede.api.analysis import Analysis
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.bake import begun
from halimede.judge.counts import Counted, count, flaw, taken
from halimede.judge.dispersion import phi_of
from halimede.judge.indicators import custom
from halimede.judge.limits import HIGHEST_CEILING, Limits, levels, limits
from halimede.judge.past import Past, past
from halimede.judge.reading import (
    ERRORS,
    History,
    Measured,
    Reading,
    Source,
    Tallied,
    Unavailable,
    Why,
    watched,
)
from halimede.judge.rule import Case, View, decide
from halimede.judge.traffic import per_second, requested_at
from halimede.judge.verdict import Judgement, Verdict
from halimede.judge.weigh import (
    ceiling_of,
    compared,
    confirmed,
    fresh,
    is_outage,
    suspected,
    uncompared,
    weigh,
)

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
    known = [pasts[one].rate for one in bounds.sources if one not in bounds.others]
    rate = next((one for one in known if one is not None), None)
    fixed = levels(analysis, max(steps, 1), rate, bounds.ceiling)
    seen = [one.per_second for one in pasts.values() if one.per_second is not None]
    return Evidence(
        levels=fixed,
        client_errors=_client_errors(analysis, history, now),
        requests_per_second=round(min(seen), 3) if seen else None,
        sources=tuple(
            _begun(source, one, analysis, fixed, now)
            for source, one in _with_dispersion(pasts, analysis).items()
        ),
    )


def _with_dispersion(pasts: Mapping[str, Past], analysis: Analysis) -> dict[str, Past]:
    """Use the highest dispersion of the other sources for custom queries."""
    worst = max(pasts.values(), key=lambda one: one.dispersion)
    return {
        source: replace(one, dispersion=worst.dispersion, looks=worst.looks)
        if source in custom(analysis)
        else one
        for source, one in pasts.items()
    }


def _begun(
    source: str, known: Past, analysis: Analysis, shared: tuple[float, ...], now: float
) -> SourceEvidence:
    """Create the evidence of a source with its levels and its ceiling.

    Routers retry failed requests, so Triton may count failed attempts that users do not see. Its
    ceiling behind a router is therefore at least `maxErrorRatio` times its own past error rate.
    """
    bounds = limits(analysis)
    ceiling = bounds.ceiling_of(source)
    behind_router = source == Source.TRITON and Source.ROUTER in bounds.sources
    if behind_router and known.rate is not None:
        attempts = float(analysis.max_error_ratio) * known.rate
        ceiling = round(min(max(ceiling, attempts), HIGHEST_CEILING), 6)
    own = shared
    if known.rate is not None or source in bounds.others:
        own = levels(analysis, len(shared), known.rate, ceiling)
    return fresh(
        source,
        bounds,
        own if own != shared else (),
        now,
        known,
        ceiling if ceiling != bounds.ceiling_of(source) else None,
    )


def _client_errors(
    analysis: Analysis, history: History | None, now: float
) -> SourceEvidence | None:
    """Create the evidence on client errors, unless they are ignored."""
    if not watched(analysis):
        return None
    source = Source.ROUTER_CLIENT_ERRORS
    answer = history.answers.get(Source.ROUTER) if history else None
    known = (
        past(source, answer, history.request)
        if history and isinstance(answer, Measured)
        else Past()
    )
    return fresh(source, limits(analysis), (), now, known)


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
    compared: bool = True,
) -> Judgement:
    """Add what the reading shows to the evidence and say what it allows in *step* (from 0).

    In the *bake* nothing passes, and what stable's past allows for is a ceiling too. In a
    *rehearsal* no user gets the canary's answers: it is not compared with stable, and only
    Triton, which sees all that reaches it, must have data. *compared* says whether the stable
    revision is given requests at the same time.

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
    counts = {
        source: _counted(source, baked, reading, analysis, pods_started or {}, now)
        for source in bounds.sources
    }
    outage = any(
        is_outage(seen.stable, held, bounds)
        for source, (held, seen) in counts.items()
        if source in ERRORS and isinstance(seen, Counted)
    )
    views = tuple(
        _view(source, baked, held, seen, analysis, outage=outage and source in ERRORS)
        for source, (held, seen) in counts.items()
    )
    case = Case(
        views=_rehearsed(views) if rehearsal else _compared(views, baked),
        request=reading.request,
        limits=bounds,
        analysis=analysis,
        step=at,
        now=now,
        bake=bake,
        rehearsal=rehearsal,
        compared=compared,
        requested_at=requested_at(evidence, (view.held for view in views), now),
        client_errors=_with_client_errors(evidence, counts, analysis, now),
    )
    verdict, message = decide(case)
    return Judgement(verdict, _written(evidence, case, verdict, message), message)


def _with_client_errors(
    evidence: Evidence,
    counts: Mapping[str, tuple[SourceEvidence, Counted | Unavailable | None]],
    analysis: Analysis,
    now: float,
) -> SourceEvidence | None:
    """Add the client errors of this poll; if the router could not be read, add nothing."""
    if not watched(analysis):
        return None
    bounds, source = limits(analysis), Source.ROUTER_CLIENT_ERRORS
    held = evidence.client_errors or fresh(source, bounds, (), now)
    _, seen = counts[Source.ROUTER]
    return compared(held, seen.client_errors, bounds) if isinstance(seen, Counted) else held


def _rehearsed(views: tuple[View, ...]) -> tuple[View, ...]:
    return tuple(replace(view, held=uncompared(view.held)) for view in views)


def _compared(views: tuple[View, ...], before: Evidence) -> tuple[View, ...]:
    """Update the comparison that must confirm a one-sample test against the canary."""
    suspicion = suspected(view.held for view in views)
    phis = {held.source: phi_of(held) for held in before.sources}
    return tuple(
        replace(
            view,
            held=confirmed(view.held, view.seen, phis.get(view.source, 1.0), suspicion=suspicion),
        )
        if isinstance(view.seen, Counted)
        else view
        for view in views
    )


def examined(evidence: Evidence, step: int, steps: int) -> int:
    """Find the level that *step* (from 0) must show; the last one if the steps were edited since.

    >>> examined(Evidence(levels=(0.06, 0.03, 0.015)), 1, 3)
    1
    >>> examined(Evidence(levels=(0.06, 0.03, 0.015)), 0, 2)
    2
    """
    last = len(evidence.levels) - 1
    return min(step if steps == len(evidence.levels) else last, last)


def _counted(
    source: str,
    evidence: Evidence,
    reading: Reading,
    analysis: Analysis,
    pods_started: Mapping[str, float],
    now: float,
) -> tuple[SourceEvidence, Counted | Unavailable | None]:
    """Count what a source shows of this poll; None: it was not to be asked yet."""
    held = _held(source, evidence) or _late(source, evidence, analysis, now)
    asked = next((one for one in reading.request.indicators if one.source == source), None)
    if asked is None and source in custom(analysis):
        return held, None
    answer = reading.answers.get(source, _NOT_ASKED)
    if isinstance(answer, Measured):
        return held, count(
            source,
            answer,
            reading.request,
            begun_at=held.begun_at,
            after=held.watermark,
            pods_started=pods_started,
        )
    if isinstance(answer, Tallied):
        if asked is None:
            return held, _NOT_ASKED
        return held, taken(answer, reading.request, asked, held.watermark)
    return held, answer


def _view(
    source: str,
    evidence: Evidence,
    held: SourceEvidence,
    seen: Counted | Unavailable | None,
    analysis: Analysis,
    *,
    outage: bool,
) -> View:
    fixed = demanded(evidence, held)
    if isinstance(seen, Counted):
        tolerated = float(analysis.max_error_ratio)
        held = weigh(held, seen, limits(analysis), fixed, tolerated=tolerated, outage=outage)
    return View(source, held, seen, fixed)


def demanded(evidence: Evidence, held: SourceEvidence) -> tuple[float, ...]:
    """List what a source's certificates must exclude, step by step."""
    return held.levels or evidence.levels


def _late(source: str, evidence: Evidence, analysis: Analysis, now: float) -> SourceEvidence:
    """Begin with a source that was declared in mid-rollout."""
    return _begun(source, Past(), analysis, evidence.levels, now)


def _baked(evidence: Evidence, bounds: Limits) -> Evidence:
    """Let the bake's test begin on the sources on which it has not."""
    sources = tuple(
        begun(held, ceiling_of(held, bounds)) if held.bake_ceiling is None else held
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
        client_errors=case.client_errors,
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
