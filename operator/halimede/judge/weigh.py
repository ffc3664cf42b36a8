"""Add what one poll showed to a source's evidence."""

from collections.abc import Iterable
from math import sqrt

from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.counts import Counted
from halimede.judge.dispersion import difference, learn
from halimede.judge.limits import DOUBT, ROUNDING, Limits, lowest
from halimede.judge.past import ENOUGH_REQUESTS, Past
from halimede.judge.processes import (
    BETTER_FACTORS,
    CONFIRMING_RATIOS,
    PASS_FACTORS,
    RATIOS,
    better,
    ceiling_rates,
    certificate,
    confirm,
    mixture,
    no_worse,
    over,
    worse,
)
from halimede.judge.reading import Counts

Logs = tuple[float, ...]
UNKNOWN = Past()
"""A past of which nothing is known."""
NEAR = 2 / 3
"""Stable is near a level if its error rate is more than this part of it."""
UNUSUAL = 2.0
"""Stable is not as usual if it fails so many times as often as in the past."""
NOTABLE = 1.75
"""A poll speaks against the canary only if it has so many times the errors that stable's usual
rate and one standard deviation more give."""
RECENT = 0.75
"""What a poll leaves of the weight of those before it in stable's recent error rate: the last four
polls make most of it."""
FEW_ERRORS = 2
"""Fewer errors in one poll do not show that stable is not as usual."""
FEW_RECENT_ERRORS = 3
"""Nor do fewer of the last polls."""


def fresh(
    source: str,
    limits: Limits,
    levels: Logs,
    now: float,
    known: Past = UNKNOWN,
    ceiling: float | None = None,
) -> SourceEvidence:
    """Start without any evidence, at *now*, with what is known of stable's past.

    Args:
        source: Whose counters they are.
        limits: What the settings mean.
        levels: What the steps' certificates must exclude, if not what the others' must; or `()`.
        now: The end of the warm-up.
        known: Stable's past.
        ceiling: The error rate that the canary may not exceed; None: that of the settings.
    """
    moment = round(now, 3)
    highest = limits.ceiling_of(source) if ceiling is None else ceiling
    return SourceEvidence(
        source=source,
        levels=levels,
        ceiling=ceiling,
        begun_at=moment,
        watermark=moment,
        dispersion=known.dispersion,
        dispersion_looks=known.looks,
        past_requests=known.counts.requests,
        past_errors=known.counts.errors,
        log_rel=_none(len(RATIOS)),
        log_abs=_none(len(ceiling_rates(highest))),
    )


def ceiling_of(held: SourceEvidence, limits: Limits) -> float:
    """Say which error rate the canary may not exceed by this source."""
    return limits.ceiling_of(held.source) if held.ceiling is None else held.ceiling


def is_outage(stable: Counts, held: SourceEvidence, limits: Limits) -> bool:
    """Whether stable itself was over the ceiling in a poll: no news of the canary's own rate."""
    return stable.errors > ceiling_of(held, limits) * stable.requests


def weigh(
    held: SourceEvidence,
    seen: Counted,
    limits: Limits,
    levels: Logs,
    *,
    tolerated: float,
    outage: bool = False,
) -> SourceEvidence:
    """Multiply the bets by what they win or lose on the new counts.

    Each logarithm is divided by the dispersion, which keeps it a test martingale (Jensen) and
    takes back what clustered errors pretend. Bets against the canary are capped per poll above
    even odds and never fall below `lowest`.

    Args:
        held: The evidence so far.
        seen: What the poll showed.
        limits: What the settings mean.
        levels: What the steps' certificates must exclude by this source.
        tolerated: `maxErrorRatio`.
        outage: Stable is over the ceiling by some other source. With the same by this source, the
            poll tells nothing of the canary's own rate.
    """
    phi, cap, low = phi_of(held), limits.cap, lowest(held.polls)
    bake, highest = held.bake_ceiling, ceiling_of(held, limits)
    judged = Counts() if outage or is_outage(seen.stable, held, limits) else seen.canary
    ceiling = over(judged, highest)
    rel = worse(seen.canary, seen.stable, _highest_rate(held, seen.stable), phi)
    added = _counted(held, seen).model_copy(
        update={
            "log_rel": _add(held.log_rel, rel, phi, cap, low),
            "log_abs": _add(_resized(held.log_abs, len(ceiling)), ceiling, phi, cap, low),
            "log_bake": ()
            if bake is None
            else _add(held.log_bake, over(judged, bake), phi, cap, low),
        }
    )
    added = _raised(added, seen)
    blind = outage and not seen.stable.requests
    return _learned(_certified(added, seen, levels, highest, tolerated, blind=blind), seen)


def compared(held: SourceEvidence, seen: Counted, limits: Limits) -> SourceEvidence:
    """Add a poll to a source that is only compared with the stable revision."""
    phi, low = phi_of(held), lowest(held.polls)
    rel = worse(seen.canary, seen.stable, _highest_rate(held, seen.stable), phi)
    added = _counted(held, seen).model_copy(
        update={
            "usual_stable_requests": held.usual_stable_requests + seen.stable.requests,
            "usual_stable_errors": held.usual_stable_errors + seen.stable.errors,
            "log_rel": _add(held.log_rel, rel, phi, limits.cap, low),
            "log_abs": (),
        }
    )
    return _learned(_raised(added, seen), seen)


def _counted(held: SourceEvidence, seen: Counted) -> SourceEvidence:
    """Add up what came in all."""
    return held.model_copy(
        update={
            "watermark": seen.watermark,
            "canary_requests": held.canary_requests + seen.canary.requests,
            "canary_errors": held.canary_errors + seen.canary.errors,
            "stable_requests": held.stable_requests + seen.stable.requests,
            "stable_errors": held.stable_errors + seen.stable.errors,
            "polls": held.polls + (seen.canary.requests > 0),
        }
    )


def _raised(held: SourceEvidence, seen: Counted) -> SourceEvidence:
    """Count the polls that raised the odds against the canary to a new height.

    A poll in which the canary fails about as often as stable usually does is not one of them, even
    if stable happens to have fewer errors.
    """
    odds = round(against(held), 6)
    if odds < DOUBT:
        return held.model_copy(update={"polls_against": 0, "highest_against": 0.0})
    usual = _usual_rate(held) * seen.canary.requests
    as_usual = seen.canary.errors <= NOTABLE * (usual + sqrt(phi_of(held) * usual))
    if odds <= held.highest_against or as_usual:
        return held
    return held.model_copy(
        update={"polls_against": held.polls_against + 1, "highest_against": odds}
    )


def _usual_rate(held: SourceEvidence) -> float:
    """Compute stable's error rate while it was as usual, in the past and in the rollout."""
    requests = held.past_requests + held.usual_stable_requests
    return (held.past_errors + held.usual_stable_errors) / requests if requests else 0.0


def _highest_rate(held: SourceEvidence, stable: Counts) -> float:
    recent = held.recent_errors / held.recent_requests if held.recent_requests else 0.0
    present = stable.errors / stable.requests if stable.requests else 0.0
    return max(_usual_rate(held), recent, present)


def phi_of(held: SourceEvidence) -> float:
    """Say by what evidence is divided."""
    return max(1.0, held.dispersion)


def _certified(
    held: SourceEvidence,
    seen: Counted,
    levels: Logs,
    ceiling: float,
    tolerated: float,
    *,
    blind: bool,
) -> SourceEvidence:
    """Add a poll to what speaks for the canary, by how stable is doing.

    As long as stable is as usual, the counts of the canary speak for themselves. While both are in
    some trouble, they are compared; and while that trouble is over the ceiling, or has just begun,
    or is seen by another source alone, nothing is concluded. Which of these it is depends on the
    polls before and on stable's counts alone, so that the bets stay fair.
    """
    known = held.recent_errors >= FEW_RECENT_ERRORS
    rate = held.recent_errors / held.recent_requests if known else 0.0
    unusual = _unusual(held, levels, ceiling)
    phi = phi_of(held)
    changes: dict[str, object] = {
        "recent_requests": round(RECENT * held.recent_requests + seen.stable.requests, 3),
        "recent_errors": round(RECENT * held.recent_errors + seen.stable.errors, 3),
    }
    changes["log_better"] = ()
    if rate > NEAR * levels[-1]:
        won = better(seen.canary, seen.stable)
        changes["log_better"] = _sum(held.log_better or _none(len(BETTER_FACTORS)), won, phi)
    if blind or rate > max(unusual, ceiling):
        pass
    elif rate > unusual:
        won = no_worse(seen.canary, seen.stable, tolerated)
        changes["log_no_worse"] = _sum(held.log_no_worse or _none(len(PASS_FACTORS)), won, phi)
    elif seen.stable.errors < FEW_ERRORS or seen.stable.errors <= unusual * seen.stable.requests:
        changes |= {
            "usual_requests": held.usual_requests + seen.canary.requests,
            "usual_errors": held.usual_errors + seen.canary.errors,
            "usual_stable_requests": held.usual_stable_requests + seen.stable.requests,
            "usual_stable_errors": held.usual_stable_errors + seen.stable.errors,
            # What it did well while stable was in trouble does not show that it is good.
            "log_no_worse": tuple(min(log, 0.0) for log in held.log_no_worse),
        }
    return held.model_copy(update=changes)


def _unusual(held: SourceEvidence, levels: Logs, ceiling: float) -> float:
    """Say from which error rate on stable is not as usual."""
    if held.past_requests < ENOUGH_REQUESTS:
        return ceiling
    return max(NEAR * levels[-1], UNUSUAL * held.past_errors / held.past_requests)


def _learned(held: SourceEvidence, seen: Counted) -> SourceEvidence:
    """Let the dispersion follow what stable's errors do in the rollout."""
    value = difference(Counts(held.last_requests, held.last_errors), seen.stable)
    phi, looks = held.dispersion, held.dispersion_looks
    if value is not None:
        phi, looks = learn(phi, looks, value)
    return held.model_copy(
        update={
            "dispersion": phi,
            "dispersion_looks": looks,
            "last_requests": seen.stable.requests,
            "last_errors": seen.stable.errors,
        }
    )


def suspected(held: Iterable[SourceEvidence]) -> bool:
    """Whether a test that does without stable speaks against the canary by some source."""
    return any(max(mixture(one.log_abs), mixture(one.log_bake)) > ROUNDING for one in held)


def confirmed(
    held: SourceEvidence, seen: Counted, phi: float, *, suspicion: bool
) -> SourceEvidence:
    """Compare with stable for as long as a test that does without it speaks against the canary.

    It begins with the poll that raises the suspicion. *phi* is the dispersion before this poll.
    """
    if not suspicion:
        return held.model_copy(update={"log_alone": (), "alone_requests": 0})
    won = confirm(seen.canary, seen.stable)
    alone = _sum(held.log_alone or _none(len(CONFIRMING_RATIOS)), won, phi)
    return held.model_copy(
        update={
            "log_alone": alone,
            "alone_requests": held.alone_requests + seen.stable.requests,
        }
    )


def uncompared(held: SourceEvidence) -> SourceEvidence:
    """Forget what a comparison with the stable revision has shown."""
    return held.model_copy(
        update={"log_rel": _none(len(held.log_rel)), "log_better": (), "log_no_worse": ()}
    )


def certified(held: SourceEvidence, level: float) -> float:
    """Compute the logarithm of the odds for an error rate of the canary below *level*."""
    counts = Counts(held.usual_requests, held.usual_errors)
    return certificate(counts, level, phi_of(held), held.log_no_worse)


def condensed(evidence: Evidence) -> Evidence:
    """Keep of evidence that nothing is added to any more what can be told of it: the odds."""
    clients = evidence.client_errors
    return evidence.model_copy(
        update={
            "sources": tuple(_condensed(held) for held in evidence.sources),
            "client_errors": clients and _condensed(clients),
        }
    )


def _condensed(held: SourceEvidence) -> SourceEvidence:
    return held.model_copy(
        update={
            "log_rel": _one(held.log_rel),
            "log_abs": _one(held.log_abs),
            "log_bake": _one(held.log_bake),
            "log_better": _one(held.log_better),
            "log_no_worse": (),
            "log_alone": (),
        }
    )


def _one(logs: Logs) -> Logs:
    return (round(mixture(logs), 6),) if logs else ()


def against(held: SourceEvidence) -> float:
    """Compute the logarithm of the odds against the canary: the strongest of the tests."""
    return max(mixture(held.log_rel), mixture(held.log_abs), mixture(held.log_bake))


def _add(logs: Logs, won: Logs, phi: float, cap: float, low: float) -> Logs:
    return tuple(
        round(max(low, min(log + part / phi, max(log, 0.0) + cap)), 6)
        for log, part in zip(logs, won, strict=True)
    )


def _sum(logs: Logs, won: Logs, phi: float) -> Logs:
    return tuple(round(log + part / phi, 6) for log, part in zip(logs, won, strict=True))


def _none(size: int) -> Logs:
    return (0.0,) * size


def _resized(logs: Logs, size: int) -> Logs:
    """Start anew where the ceiling was changed in mid-rollout, and other rates are bet on."""
    return logs if len(logs) == size else _none(size)
