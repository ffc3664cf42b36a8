"""The traffic that a rollout has counted itself: its rate, and the canary's last request."""

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
    known: float | None, sources: Iterable[SourceEvidence], *, rehearsal: bool = False
) -> float | None:
    """Estimate the requests per second to the model as a whole.

    The known rate, which is that of the past as a rule, is kept while the rollout's own counts
    confirm it within a factor of two.

    Args:
        known: The rate that was known so far; None if none was.
        sources: What each source has counted since the warm-up.
        rehearsal: Whether the canary gets copies, so that requests are counted twice.

    Returns:
        None if the rate is still unknown.
    """
    own = None if rehearsal else _counted(tuple(sources))
    if own is None:
        return known
    if known is not None and known / FAR <= own <= known * FAR:
        return known
    return float(f"{own:.3g}")


def _counted(sources: Sequence[SourceEvidence]) -> float | None:
    """Compute the mean rate since the warm-up, by the source that has counted the fewest requests.

    A source that has seen no request of the stable revision is left out if another one has: it
    does not scrape that revision.
    """
    long = [
        held
        for held in sources
        if held.source in ALL_REQUESTS and held.watermark - held.begun_at >= ENOUGH_SECONDS
    ]
    both = [held for held in long if held.stable_requests] or long
    rates = [
        (held.canary_requests + held.stable_requests) / (held.watermark - held.begun_at)
        for held in both
    ]
    return min(rates, default=None)


def requested_at(before: Evidence, sources: Iterable[SourceEvidence], now: float) -> float | None:
    """Say when the number of the canary's requests was last seen to grow; None: never."""
    counted = {held.source: held.canary_requests for held in before.sources}
    grown = any(held.canary_requests > counted.get(held.source, 0) for held in sources)
    unknown = before.requested_at is None and any(counted.values())
    return now if grown or unknown else before.requested_at


def quiet_for(requested: float | None, analysis: Analysis, now: float) -> float | None:
    """Say for how many seconds the canary has had no request, if that is too long.

    Args:
        requested: When it had the last one; None: it has had none yet, which is not told here.
        analysis: The rollout's settings.
        now: UNIX time.

    Returns:
        None if it had one in the last `noDataTimeoutSeconds`.
    """
    if requested is None or now - requested < analysis.no_data_timeout_seconds:
        return None
    return now - requested
