"""Add what one poll showed to a source's evidence."""

from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.counts import Counted
from halimede.judge.limits import LOWEST, Limits
from halimede.judge.past import Past
from halimede.judge.processes import RATIOS, ceiling_rates, certificate, mixture, over, worse
from halimede.judge.reading import Counts

Logs = tuple[float, ...]
UNKNOWN = Past()
"""A past of which nothing is known."""


def fresh(
    source: str, limits: Limits, levels: Logs, now: float, known: Past = UNKNOWN
) -> SourceEvidence:
    """Start without any evidence, at *now*, with what is known of stable's past."""
    moment = round(now, 3)
    return SourceEvidence(
        source=source,
        levels=levels if source in limits.others else (),
        begun_at=moment,
        watermark=moment,
        dispersion=known.dispersion,
        past_requests=known.counts.requests,
        past_errors=known.counts.errors,
        log_rel=_none(len(RATIOS)),
        log_abs=_none(len(ceiling_rates(limits.ceiling_of(source)))),
    )


def weigh(held: SourceEvidence, seen: Counted, limits: Limits) -> SourceEvidence:
    """Multiply the bets against the canary by what they win or lose on the new counts.

    Each logarithm is divided by the dispersion, which keeps it a test martingale (Jensen) and
    takes back what clustered errors pretend, and is capped per poll. What speaks for the canary is
    not, so that the counts alone tell it (`certified`). A poll in which stable itself is over the
    ceiling is a shared outage, and no news of the canary's own rate.
    """
    phi = held.dispersion
    bake = held.bake_ceiling
    highest = limits.ceiling_of(held.source)
    outage = seen.stable.errors > highest * seen.stable.requests
    rel = worse(seen.canary, seen.stable)
    ceiling = over(Counts() if outage else seen.canary, highest)
    return held.model_copy(
        update={
            "watermark": seen.watermark,
            "canary_requests": held.canary_requests + seen.canary.requests,
            "canary_errors": held.canary_errors + seen.canary.errors,
            "stable_requests": held.stable_requests + seen.stable.requests,
            "stable_errors": held.stable_errors + seen.stable.errors,
            "polls": held.polls + (seen.canary.requests > 0),
            "log_rel": _add(held.log_rel, rel, phi, limits.cap),
            "log_abs": _add(_resized(held.log_abs, len(ceiling)), ceiling, phi, limits.cap),
            "log_bake": ()
            if bake is None
            else _add(held.log_bake, over(seen.canary, bake), phi, limits.cap),
        }
    )


def uncompared(held: SourceEvidence) -> SourceEvidence:
    """Forget what a comparison with the stable revision has shown."""
    return held.model_copy(update={"log_rel": _none(len(held.log_rel))})


def certified(held: SourceEvidence, level: float) -> float:
    """Tell the logarithm of the odds for an error rate of the canary below *level*."""
    return certificate(Counts(held.canary_requests, held.canary_errors), level, held.dispersion)


def condensed(evidence: Evidence) -> Evidence:
    """Keep of evidence that nothing is added to any more what can be told of it: the odds."""
    return evidence.model_copy(
        update={
            "sources": tuple(
                held.model_copy(
                    update={
                        "log_rel": _one(held.log_rel),
                        "log_abs": _one(held.log_abs),
                        "log_bake": _one(held.log_bake),
                    }
                )
                for held in evidence.sources
            )
        }
    )


def _one(logs: Logs) -> Logs:
    return (round(mixture(logs), 6),) if logs else ()


def against(held: SourceEvidence) -> float:
    """Logarithm of the odds against the canary: the strongest of the tests."""
    return max(mixture(held.log_rel), mixture(held.log_abs), mixture(held.log_bake))


def _add(logs: Logs, won: Logs, phi: float, cap: float) -> Logs:
    return tuple(
        round(max(LOWEST, log + min(part / phi, cap)), 6)
        for log, part in zip(logs, won, strict=True)
    )


def _none(size: int) -> Logs:
    return (0.0,) * size


def _resized(logs: Logs, size: int) -> Logs:
    """Start anew where the ceiling was changed in mid-rollout, and other rates are bet on."""
    return logs if len(logs) == size else _none(size)
