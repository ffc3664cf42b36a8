"""The traffic that was counted during a rollout: its rate, and the canary's last request."""

from collections.abc import Iterable, Sequence

from halimede.api.analysis import Analysis
from halimede.api.sources import Source
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.baseline import ENOUGH_SECONDS

ALL_REQUESTS = frozenset({Source.ROUTER, Source.TRITON})
"""The sources that count every request to the model."""
FAR = 2.0
"""A rate that differs from the known one by more than this factor replaces it."""


def per_second(
    known: float | None, sources: Iterable[SourceEvidence], *, pre_traffic: bool = False
) -> float | None:
    """Estimate the requests per second to the model as a whole.

    The known rate, usually that of the baseline, is kept while the rollout's own counts confirm it
    within a factor of two.

    Args:
        known: The rate that was known so far; None if none was.
        sources: The counts of each source since the warm-up.
        pre_traffic: Whether the canary gets copies, so that requests are counted twice.

    Returns:
        None if the rate is still unknown.
    """
    own = None if pre_traffic else _mean_rate(tuple(sources))
    if own is None:
        return known
    if known is not None and known / FAR <= own <= known * FAR:
        return known
    return float(f"{own:.3g}")


def _mean_rate(sources: Sequence[SourceEvidence]) -> float | None:
    """Compute the mean rate since the warm-up, by the source that has counted the fewest requests.

    A source that has counted no request of the stable revision is left out if another one has: it
    does not scrape that revision.
    """
    measured = [
        evidence
        for evidence in sources
        if evidence.source in ALL_REQUESTS
        and evidence.watermark - evidence.begun_at >= ENOUGH_SECONDS
    ]
    both = [evidence for evidence in measured if evidence.stable_requests] or measured
    rates = [
        (evidence.canary_requests + evidence.stable_requests)
        / (evidence.watermark - evidence.begun_at)
        for evidence in both
    ]
    return min(rates, default=None)


def requested_at(before: Evidence, sources: Iterable[SourceEvidence], now: float) -> float | None:
    """Return when the canary's request count last increased; None: never."""
    counted = {evidence.source: evidence.canary_requests for evidence in before.sources}
    grown = any(evidence.canary_requests > counted.get(evidence.source, 0) for evidence in sources)
    unknown = before.requested_at is None and any(counted.values())
    return now if grown or unknown else before.requested_at


def quiet_for(requested: float | None, analysis: Analysis, now: float) -> float | None:
    """Return the seconds since the canary's last request, if that is too long.

    Args:
        requested: Time of the last request; None: it has had none yet, which is not reported here.
        analysis: The rollout's settings.
        now: UNIX time.

    Returns:
        None if it had one in the last `noDataTimeoutSeconds`.
    """
    if requested is None or now - requested < analysis.no_data_timeout_seconds:
        return None
    return now - requested
