"""The evidence that a rollout starts with: stable's past, the levels and the ceilings."""

from collections.abc import Mapping
from dataclasses import replace

from halimede.api.analysis import Analysis
from halimede.api.reasons import UnavailableReason, Verdict
from halimede.api.sources import Source, SourceId
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.baseline import Baseline, summarise_baseline
from halimede.judge.counts import unusable_reason
from halimede.judge.custom_queries import custom_sources
from halimede.judge.evidence import initial_evidence
from halimede.judge.reading import CounterSamples, History, Unavailable, watched
from halimede.judge.thresholds import HIGHEST_CEILING, Limits, levels, limits

NOT_ASKED = Unavailable(UnavailableReason.UNREACHABLE, "Prometheus has not been asked yet")
"""The answer of a source that has not been queried."""


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
            begin_source(source, one, analysis, fixed, now)
            for source, one in _with_dispersion(pasts, analysis).items()
        ),
    )


def _with_dispersion(
    pasts: Mapping[SourceId, Baseline], analysis: Analysis
) -> dict[SourceId, Baseline]:
    """Use the highest dispersion of the other sources for custom queries."""
    worst = max(pasts.values(), key=lambda one: one.dispersion)
    return {
        source: replace(one, dispersion=worst.dispersion, looks=worst.looks)
        if source in custom_sources(analysis)
        else one
        for source, one in pasts.items()
    }


def begin_source(
    source: SourceId, known: Baseline, analysis: Analysis, shared: tuple[float, ...], now: float
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
    return initial_evidence(
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
        summarise_baseline(source, answer, history.request)
        if history and isinstance(answer, CounterSamples)
        else Baseline()
    )
    return initial_evidence(source, limits(analysis), (), now, known)


def _pasts(bounds: Limits, history: History | None) -> dict[SourceId, Baseline] | Unavailable:
    """Sum up what each source tells of stable's past, or say why one cannot."""
    if history is None:
        return NOT_ASKED
    pasts = {}
    for source in bounds.sources:
        answer = history.answers.get(source, NOT_ASKED)
        if isinstance(answer, Unavailable):
            return answer
        wrong = (
            unusable_reason(source, answer, history.request)
            if isinstance(answer, CounterSamples)
            else None
        )
        if wrong is not None:
            return wrong
        pasts[source] = summarise_baseline(source, answer, history.request)
    return pasts


def _not_begun(answer: Unavailable, previous: Evidence | None, now: float) -> Evidence:
    since = previous.metrics_down_since if previous else None
    return Evidence(
        verdict=Verdict.METRICS_DOWN, message=answer.message, metrics_down_since=since or now
    )
