"""Describe evidence in one sentence.

The sentences do not name the canary: callers say which revision they are about.
"""

from math import exp

from halimede.api.analysis import MetricsProvider
from halimede.api.sources import Source, SourceId, metric_name
from halimede.api.status import SourceEvidence
from halimede.judge.counts import RareScrapes
from halimede.judge.dispersion import ENOUGH_ERRORS
from halimede.judge.martingales import BETTER, log_mixture
from halimede.judge.providers.registry import find_provider
from halimede.judge.reading import MetricsRequest

_MILLION = 13.815510557964274
"""Natural logarithm of a million, the highest odds that are written as a number."""


def odds(log_value: float) -> str:
    """Format a logarithm as odds, with two significant digits.

    >>> odds(8.56), odds(0.0), odds(-3.0), odds(200.0)
    ('5200:1', '1:1', 'under 1:1', 'over 1000000:1')
    """
    if log_value < 0:
        return "under 1:1"
    if log_value > _MILLION:
        return "over 1000000:1"
    return f"{float(f'{exp(log_value):.2g}'):.7g}:1"


def percent(rate: float) -> str:
    """Format a rate as a percentage.

    >>> percent(0.0125)
    '1.25 %'
    """
    return f"{round(rate * 100, 2):g} %"


def plural(amount: int, thing: str) -> str:
    """Format an amount with its noun in the singular or plural.

    >>> plural(1, "error"), plural(3, "request")
    ('1 error', '3 requests')
    """
    return f"{amount} {thing}" if amount == 1 else f"{amount} {thing}s"


def where(source: SourceId) -> str:
    """Describe where a source's requests were counted."""
    places: dict[str, str] = {
        Source.TRITON: "in Triton",
        Source.ROUTER_LATENCY: "in the router's histogram",
    }
    if (metric := metric_name(source)) is not None:
        return f"according to the metric {metric}"
    return places.get(source, "at the router")


def failure_noun(source: SourceId) -> str:
    """Return the noun for a failure that a source counts."""
    if source == Source.ROUTER_CLIENT_ERRORS:
        return "client error"
    return "slow response" if source == Source.ROUTER_LATENCY else "error"


def rate(source: SourceId) -> str:
    """Return the noun phrase for the rate of these failures."""
    if source == Source.ROUTER_CLIENT_ERRORS:
        return "the rate of client errors"
    return "the rate of slow responses" if source == Source.ROUTER_LATENCY else "the error rate"


def describe_counts(evidence: SourceEvidence) -> str:
    """Describe the canary's counts.

    >>> evidence = SourceEvidence(source="Triton", begun_at=0, watermark=0, canary_requests=20)
    >>> describe_counts(evidence)
    '0 of 20 requests failed in Triton'
    >>> describe_counts(evidence.evolve(canary_errors=3))
    '3 of 20 requests failed in Triton (15 %)'
    """
    failed: dict[str, str] = {
        Source.ROUTER_CLIENT_ERRORS: "requests had client errors",
        Source.ROUTER_LATENCY: "responses were slow",
    }
    if not evidence.canary_requests:
        return f"No requests {where(evidence.source)}"
    verb, errors = failed.get(evidence.source, "requests failed"), evidence.canary_errors
    share = f" ({percent(errors / evidence.canary_requests)})" if errors else ""
    return f"{errors} of {evidence.canary_requests} {verb} {where(evidence.source)}{share}"


def worse_than_stable(evidence: SourceEvidence, request: MetricsRequest, log_value: float) -> str:
    """Describe how the canary's error rate exceeds stable's."""
    return (
        f"{describe_counts(evidence)}, stable {request.stable}: {evidence.stable_errors} of"
        f" {evidence.stable_requests}; odds {odds(log_value)} that it is worse"
    )


def more_client_errors(evidence: SourceEvidence, request: MetricsRequest) -> str:
    """Describe why the canary is held: it has more client errors than stable."""
    return (
        f"{worse_than_stable(evidence, request, log_mixture(evidence.log_rel))}. This holds the"
        " rollout: check which requests both accept, promote by command, or set onClientErrors to"
        " Ignore"
    )


def over_the_ceiling(
    evidence: SourceEvidence, request: MetricsRequest, log_value: float, ceiling: float
) -> str:
    """Describe how the canary's error rate exceeds the source's ceiling."""
    setting = "maxSlowPercent" if evidence.source == Source.ROUTER_LATENCY else "maxErrorPercent"
    if evidence.ceiling is not None:
        setting = f"maxErrorRatio, based on the attempts of {request.stable} before the rollout"
    return (
        f"{describe_counts(evidence)}; odds {odds(log_value)} that {rate(evidence.source)} is over"
        f" {percent(ceiling)} ({setting})"
    )


def over_the_past(evidence: SourceEvidence, request: MetricsRequest, log_value: float) -> str:
    """Describe how the canary's error rate exceeds the ceiling from the baseline."""
    return (
        f"{describe_counts(evidence)}; odds {odds(log_value)} that {rate(evidence.source)} is over"
        f" {percent(evidence.bake_ceiling or 0.0)} (the ceiling from the baseline of"
        f" {request.stable})"
    )


def better_than_stable(evidence: SourceEvidence, request: MetricsRequest, log_value: float) -> str:
    """Describe how much better the canary is than a bad stable revision."""
    return (
        f"stable {request.stable}: {evidence.stable_errors} of {evidence.stable_requests}; odds"
        f" {odds(log_value)} that {rate(evidence.source)} is under {percent(BETTER)} of stable's"
    )


def stable_in_trouble(evidence: SourceEvidence, request: MetricsRequest, ceiling: float) -> str:
    """Describe why no step can pass: the stable revision itself is over the ceiling."""
    return (
        f"{rate(evidence.source)} of stable {request.stable} is over {percent(ceiling)} too, so"
        " the step cannot pass until it falls"
    )


def stable_over(evidence: SourceEvidence, request: MetricsRequest, level: float) -> str:
    """Describe how the stable revision itself exceeds the level; empty if it does not."""
    requests = evidence.past_requests + evidence.usual_stable_requests
    errors = evidence.past_errors + evidence.usual_stable_errors
    if errors < ENOUGH_ERRORS or errors <= level * requests:
        return ""
    own = percent(errors / requests)
    return (
        f". Stable {request.stable} itself has {own} {failure_noun(evidence.source)}s, so only a"
        " better revision can pass"
    )


def rarely_scraped(source: SourceId, rare: RareScrapes) -> str:
    """Describe which process is scraped too rarely, and what that delays."""
    late = "all requests in Triton count" if source == Source.TRITON else "its requests count"
    return (
        f"{rare.process} is scraped every {rare.interval:.0f} s, others every {rare.usual:.0f} s,"
        f" so {late} late: scrape it as often"
    )


def unseen(source: SourceId, request: MetricsRequest) -> str:
    """Describe which counters are missing, and what to do about it."""
    own_router = source == Source.ROUTER and request.provider is MetricsProvider.CUSTOM
    if own_router or metric_name(source) is not None:
        field = "router" if own_router else source.replace("/", ".", 1)
        return (
            f"The query spec.rollout.analysis.{field}.requests returns nothing for the new"
            " revision: test it in Prometheus, and send requests to the revision"
        )
    return find_provider(source, request).missing_message(request)
