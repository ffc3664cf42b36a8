"""The evidence that a rollout starts with: the baseline, the levels and the ceilings."""

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

NOT_ASKED = Unavailable(UnavailableReason.UNREACHABLE, "Prometheus has not been queried yet")
"""The answer of a source that has not been queried."""


def begin(
    analysis: Analysis,
    steps: int,
    history: History | None,
    now: float,
    *,
    previous: Evidence | None = None,
) -> Evidence:
    """Set the level of every step, and start to count at *now*, the end of the warm-up.

    Call it with the history of a reading whose request's `since` was None. If a source of the
    history cannot be read, the evidence has no sources and the verdict `MetricsDown`:
    `counted_since` still returns None for it, and the next poll must call `begin` again with this
    evidence as *previous*.
    """
    bounds = limits(analysis)
    baselines = _baselines(bounds, history)
    if isinstance(baselines, Unavailable):
        return _not_begun(baselines, previous, now)
    rates = [baselines[source].rate for source in bounds.sources if source not in bounds.others]
    known_rate = next((rate for rate in rates if rate is not None), None)
    step_levels = levels(analysis, max(steps, 1), known_rate, bounds.ceiling)
    request_rates = [
        baseline.per_second for baseline in baselines.values() if baseline.per_second is not None
    ]
    return Evidence(
        levels=step_levels,
        client_errors=_client_errors(analysis, history, now),
        requests_per_second=round(min(request_rates), 3) if request_rates else None,
        sources=tuple(
            begin_source(source, baseline, analysis, step_levels, now)
            for source, baseline in _with_dispersion(baselines, analysis).items()
        ),
    )


def _with_dispersion(
    baselines: Mapping[SourceId, Baseline], analysis: Analysis
) -> dict[SourceId, Baseline]:
    """Set the dispersion of custom queries to the highest one of all sources."""
    worst = max(baselines.values(), key=lambda baseline: baseline.dispersion)
    return {
        source: replace(baseline, dispersion=worst.dispersion, differences=worst.differences)
        if source in custom_sources(analysis)
        else baseline
        for source, baseline in baselines.items()
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
    baseline = (
        summarise_baseline(source, answer, history.request)
        if history and isinstance(answer, CounterSamples)
        else Baseline()
    )
    return initial_evidence(source, limits(analysis), (), now, baseline)


def _baselines(bounds: Limits, history: History | None) -> dict[SourceId, Baseline] | Unavailable:
    """Compute the baseline of each source, or return why one cannot be read."""
    if history is None:
        return NOT_ASKED
    baselines = {}
    for source in bounds.sources:
        answer = history.answers.get(source, NOT_ASKED)
        if isinstance(answer, Unavailable):
            return answer
        reason = (
            unusable_reason(source, answer, history.request)
            if isinstance(answer, CounterSamples)
            else None
        )
        if reason is not None:
            return reason
        baselines[source] = summarise_baseline(source, answer, history.request)
    return baselines


def _not_begun(answer: Unavailable, previous: Evidence | None, now: float) -> Evidence:
    since = previous.metrics_down_since if previous else None
    return Evidence(
        verdict=Verdict.METRICS_DOWN, message=answer.message, metrics_down_since=since or now
    )
