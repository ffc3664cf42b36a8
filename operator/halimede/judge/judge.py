"""Judge a new revision by its errors, at any time and any number of times.

Call `initial_evidence.begin` once, when the warm-up is over, and then `judge_poll` at every poll.
All state is in the evidence.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.api.sources import Source, SourceId
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.bake import start_bake
from halimede.judge.baseline import Baseline
from halimede.judge.counts import WindowCounts, count_window, from_custom
from halimede.judge.custom_queries import custom_sources
from halimede.judge.dispersion import phi_of
from halimede.judge.evidence import (
    ceiling_of,
    initial_evidence,
    is_outage,
    is_suspected,
    update_confirmation,
    update_evidence,
    weigh_comparison,
    without_comparison,
)
from halimede.judge.initial_evidence import NOT_ASKED, begin_source
from halimede.judge.reading import (
    ERRORS,
    CounterSamples,
    CustomCounts,
    Reading,
    Unavailable,
    watched,
)
from halimede.judge.rule import Poll, SourceView, decide_verdict
from halimede.judge.thresholds import Limits, limits
from halimede.judge.traffic import per_second, requested_at
from halimede.judge.verdict import Judgement

Windows = Mapping[SourceId, tuple[SourceEvidence, WindowCounts | Unavailable | None]]
"""The evidence before this poll and the counts of this poll, by source."""


def judge_poll(
    evidence: Evidence,
    reading: Reading,
    analysis: Analysis,
    step: int,
    steps: int,
    now: float,
    *,
    pods_started: Mapping[str, float] | None = None,
    bake: bool = False,
    pre_traffic: bool = False,
    compared: bool = True,
) -> Judgement:
    """Add a reading to the evidence, and return the verdict on *step* (from 0).

    In the *bake* nothing passes, and the ceiling from the baseline applies too. With *pre_traffic*
    no user gets the canary's answers: it is not compared with stable, and only Triton, which
    counts all requests that reach it, must have data. *compared* is whether the stable revision
    gets requests at the same time.

    *pods_started* maps pod names to start times (UNIX seconds). The counters of a pod that started
    after the warm-up count from zero; without its start time, its requests before its first
    scrape are left out.

    Raises:
        ValueError: The evidence has not begun.
    """
    if not evidence.sources:
        raise ValueError("There is no evidence yet: call begin() with the history first")
    bounds = limits(analysis)
    current = _with_bake(evidence, bounds) if bake else evidence
    count = partial(_count_source, evidence=current, reading=reading, analysis=analysis, now=now)
    windows = {source: count(source, pods_started=pods_started or {}) for source in bounds.sources}
    views = _build_views(windows, current, analysis)
    case = Poll(
        views=_without_comparisons(views) if pre_traffic else _with_confirmation(views, current),
        request=reading.request,
        limits=bounds,
        analysis=analysis,
        step=examined(evidence, step, steps),
        now=now,
        bake=bake,
        pre_traffic=pre_traffic,
        compared=compared,
        requested_at=requested_at(evidence, (view.evidence for view in views), now),
        client_errors=_with_client_errors(evidence, windows, analysis, now),
    )
    verdict, message = decide_verdict(case)
    return Judgement(verdict, _update(evidence, case, verdict, message), message)


def _with_client_errors(
    evidence: Evidence,
    counts: Windows,
    analysis: Analysis,
    now: float,
) -> SourceEvidence | None:
    """Add the client errors of this poll; if the router could not be read, add nothing."""
    if not watched(analysis):
        return None
    bounds, source = limits(analysis), Source.ROUTER_CLIENT_ERRORS
    source_evidence = evidence.client_errors or initial_evidence(source, bounds, (), now)
    _, seen = counts[Source.ROUTER]
    return (
        weigh_comparison(source_evidence, seen.client_errors, bounds)
        if isinstance(seen, WindowCounts)
        else source_evidence
    )


def _without_comparisons(views: tuple[SourceView, ...]) -> tuple[SourceView, ...]:
    return tuple(replace(view, evidence=without_comparison(view.evidence)) for view in views)


def _with_confirmation(views: tuple[SourceView, ...], before: Evidence) -> tuple[SourceView, ...]:
    """Update the comparison that must confirm a one-sample test against the canary."""
    suspicion = is_suspected(view.evidence for view in views)
    phis = {evidence.source: phi_of(evidence) for evidence in before.sources}
    return tuple(
        replace(
            view,
            evidence=update_confirmation(
                view.evidence, view.seen, phis.get(view.source, 1.0), suspicion=suspicion
            ),
        )
        if isinstance(view.seen, WindowCounts)
        else view
        for view in views
    )


def examined(evidence: Evidence, step: int, steps: int) -> int:
    """Return the index of *step*'s level; the last one if the number of steps was changed since.

    >>> examined(Evidence(levels=(0.06, 0.03, 0.015)), 1, 3)
    1
    >>> examined(Evidence(levels=(0.06, 0.03, 0.015)), 0, 2)
    2
    """
    last = len(evidence.levels) - 1
    return min(step if steps == len(evidence.levels) else last, last)


def _count_source(
    source: SourceId,
    evidence: Evidence,
    reading: Reading,
    analysis: Analysis,
    pods_started: Mapping[str, float],
    now: float,
) -> tuple[SourceEvidence, WindowCounts | Unavailable | None]:
    """Count the requests and errors of this poll by a source; None: its query is not due yet."""
    source_evidence = _find_evidence(source, evidence) or _begin_late(
        source, evidence, analysis, now
    )
    due = next((query for query in reading.request.indicators if query.source == source), None)
    if due is None and source in custom_sources(analysis):
        return source_evidence, None
    answer = reading.answers.get(source, NOT_ASKED)
    if isinstance(answer, CounterSamples):
        return source_evidence, count_window(
            source,
            answer,
            reading.request,
            begun_at=source_evidence.begun_at,
            after=source_evidence.watermark,
            pods_started=pods_started,
        )
    if isinstance(answer, CustomCounts):
        if due is None:
            return source_evidence, NOT_ASKED
        return source_evidence, from_custom(
            answer, reading.request, due, source_evidence.watermark
        )
    return source_evidence, answer


def _build_views(
    windows: Windows, evidence: Evidence, analysis: Analysis
) -> tuple[SourceView, ...]:
    bounds = limits(analysis)
    outage = any(
        is_outage(seen.stable, source_evidence, bounds)
        for source, (source_evidence, seen) in windows.items()
        if source in ERRORS and isinstance(seen, WindowCounts)
    )
    return tuple(
        _build_view(
            source, evidence, source_evidence, seen, analysis, outage=outage and source in ERRORS
        )
        for source, (source_evidence, seen) in windows.items()
    )


def _build_view(
    source: SourceId,
    evidence: Evidence,
    source_evidence: SourceEvidence,
    seen: WindowCounts | Unavailable | None,
    analysis: Analysis,
    *,
    outage: bool,
) -> SourceView:
    step_levels = demanded(evidence, source_evidence)
    if isinstance(seen, WindowCounts):
        tolerated = float(analysis.max_error_ratio)
        source_evidence = update_evidence(
            source_evidence,
            seen,
            limits(analysis),
            step_levels,
            tolerated=tolerated,
            outage=outage,
        )
    return SourceView(source, source_evidence, seen, step_levels)


def demanded(evidence: Evidence, source_evidence: SourceEvidence) -> tuple[float, ...]:
    """Return the levels of the steps for a source."""
    return source_evidence.levels or evidence.levels


def _begin_late(
    source: SourceId, evidence: Evidence, analysis: Analysis, now: float
) -> SourceEvidence:
    """Create the evidence of a source that was added to the spec during the rollout."""
    return begin_source(source, Baseline(), analysis, evidence.levels, now)


def _with_bake(evidence: Evidence, bounds: Limits) -> Evidence:
    """Start the bake's test on the sources on which it has not started."""
    sources = tuple(
        start_bake(source_evidence, ceiling_of(source_evidence, bounds))
        if source_evidence.bake_ceiling is None
        else source_evidence
        for source_evidence in evidence.sources
    )
    return evidence.evolve(sources=sources)


def _find_evidence(source: SourceId, evidence: Evidence) -> SourceEvidence | None:
    return next(
        (
            source_evidence
            for source_evidence in evidence.sources
            if source_evidence.source == source
        ),
        None,
    )


def _update(evidence: Evidence, case: Poll, verdict: Verdict, message: str) -> Evidence:
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
            (view.evidence for view in case.views),
            pre_traffic=case.pre_traffic,
        ),
        requested_at=case.requested_at,
        sources=tuple(view.evidence for view in case.views),
        client_errors=case.client_errors,
        verdict=verdict,
        message=message,
        no_data_since=missing,
        metrics_down_since=down,
        bake_polls=evidence.bake_polls + (case.bake and down is None),
    )
