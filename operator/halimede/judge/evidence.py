"""Add the counts of a poll to a source's evidence."""

from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple

from halimede.api.sources import SourceId
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.baseline import Baseline
from halimede.judge.bets import DIGITS, Changes, Logs, add, add_capped, resized, zeros
from halimede.judge.certify import update_certificates
from halimede.judge.counts import WindowCounts
from halimede.judge.dispersion import phi_of, update_dispersion
from halimede.judge.martingales import (
    RATIOS,
    ceiling_rates,
    confirm,
    log_e_above,
    log_e_worse,
    log_mixture,
)
from halimede.judge.reading import Counts
from halimede.judge.thresholds import BAKE_HOLD, ROUNDING, Limits, lowest

UNKNOWN = Baseline()
"""A baseline without counts."""
NOTABLE = 1.75
"""A poll counts against the canary only if its errors exceed this many times the sum of the number
expected at stable's usual rate and one standard deviation."""


class Bets(NamedTuple):
    """The logarithms of the bets against the canary by one source."""

    log_rel: Logs
    log_abs: Logs = ()
    log_bake: Logs = ()

    @property
    def odds(self) -> float:
        """The logarithm of the odds against the canary: the strongest of the tests."""
        return max(
            log_mixture(self.log_rel), log_mixture(self.log_abs), log_mixture(self.log_bake)
        )


def initial_evidence(
    source: SourceId,
    limits: Limits,
    levels: Logs,
    now: float,
    known: Baseline = UNKNOWN,
    ceiling: float | None = None,
) -> SourceEvidence:
    """Create the evidence of a source that has counted nothing yet.

    Args:
        source: The source of the counts.
        limits: The limits of the analysis.
        levels: The levels of the steps for this source; `()`: those shared by all sources.
        now: The end of the warm-up.
        known: The baseline.
        ceiling: The source's ceiling; None: that of the settings.
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
        dispersion_differences=known.differences,
        past_requests=known.counts.requests,
        past_errors=known.counts.errors,
        log_rel=zeros(len(RATIOS)),
        log_abs=zeros(len(ceiling_rates(highest))),
    )


def ceiling_of(evidence: SourceEvidence, limits: Limits) -> float:
    """Return the ceiling of a source."""
    return limits.ceiling_of(evidence.source) if evidence.ceiling is None else evidence.ceiling


def is_outage(stable: Counts, evidence: SourceEvidence, limits: Limits) -> bool:
    """Whether stable's error rate was over the ceiling in a poll."""
    return stable.errors > ceiling_of(evidence, limits) * stable.requests


def update_evidence(
    evidence: SourceEvidence,
    seen: WindowCounts,
    limits: Limits,
    levels: Logs,
    *,
    tolerated: float,
    outage: bool = False,
) -> SourceEvidence:
    """Multiply the bets by their gains on the new counts.

    The logarithm of each gain is divided by the dispersion. The result is still a test martingale
    (Jensen), and clustered errors are not overrated. Bets against the canary are capped per poll
    above even odds and never fall below `lowest`.

    Args:
        evidence: The evidence so far.
        seen: The counts of the poll.
        limits: The limits of the analysis.
        levels: The levels of the steps for this source.
        tolerated: `maxErrorRatio`.
        outage: Whether stable is over the ceiling by another source. If it is over the ceiling by
            any source, the poll is no evidence about the canary's own error rate.
    """
    phi, cap, low = phi_of(evidence), limits.cap, lowest(evidence.polls)
    bake, highest = evidence.bake_ceiling, ceiling_of(evidence, limits)
    judged = Counts() if outage or is_outage(seen.stable, evidence, limits) else seen.canary
    ceiling = log_e_above(judged, highest)
    rel = log_e_worse(seen.canary, seen.stable, _highest_rate(evidence, seen.stable), phi)
    bets = Bets(
        log_rel=add_capped(evidence.log_rel, rel, phi, cap, low),
        log_abs=add_capped(resized(evidence.log_abs, len(ceiling)), ceiling, phi, cap, low),
        log_bake=()
        if bake is None
        else add_capped(evidence.log_bake, log_e_above(judged, bake), phi, cap, low),
    )
    blind = outage and not seen.stable.requests
    return evidence.evolve(
        **_add_counts(evidence, seen),
        **bets._asdict(),
        **_count_polls_against(evidence, seen, bets),
        **update_certificates(evidence, seen, levels, highest, tolerated, blind=blind),
        **update_dispersion(evidence, seen.stable),
    )


def weigh_comparison(
    evidence: SourceEvidence, seen: WindowCounts, limits: Limits
) -> SourceEvidence:
    """Add a poll to a source that is only compared with the stable revision."""
    phi, low = phi_of(evidence), lowest(evidence.polls)
    rel = log_e_worse(seen.canary, seen.stable, _highest_rate(evidence, seen.stable), phi)
    bets = Bets(log_rel=add_capped(evidence.log_rel, rel, phi, limits.cap, low))
    return evidence.evolve(
        **_add_counts(evidence, seen),
        **bets._asdict(),
        **_count_polls_against(evidence, seen, bets),
        usual_stable_requests=evidence.usual_stable_requests + seen.stable.requests,
        usual_stable_errors=evidence.usual_stable_errors + seen.stable.errors,
        **update_dispersion(evidence, seen.stable),
    )


def _add_counts(evidence: SourceEvidence, seen: WindowCounts) -> Changes:
    """Add the counts of a poll to the totals."""
    return {
        "watermark": seen.watermark,
        "canary_requests": evidence.canary_requests + seen.canary.requests,
        "canary_errors": evidence.canary_errors + seen.canary.errors,
        "stable_requests": evidence.stable_requests + seen.stable.requests,
        "stable_errors": evidence.stable_errors + seen.stable.errors,
        "polls": evidence.polls + (seen.canary.requests > 0),
    }


def _count_polls_against(evidence: SourceEvidence, seen: WindowCounts, bets: Bets) -> Changes:
    """Count the polls that raised the odds against the canary to a new maximum.

    A poll in which the canary's error rate is about stable's usual rate is not counted, even if
    stable had fewer errors in it by chance.
    """
    odds = round(bets.odds, DIGITS)
    if odds < BAKE_HOLD:
        return {"polls_against": 0, "highest_against": 0.0}
    usual = _usual_rate(evidence) * seen.canary.requests
    as_usual = seen.canary.errors <= NOTABLE * (usual + sqrt(phi_of(evidence) * usual))
    if odds <= evidence.highest_against or as_usual:
        return {}
    return {"polls_against": evidence.polls_against + 1, "highest_against": odds}


def _usual_rate(evidence: SourceEvidence) -> float:
    """Compute stable's usual error rate, from the past and from the rollout."""
    requests = evidence.past_requests + evidence.usual_stable_requests
    return (evidence.past_errors + evidence.usual_stable_errors) / requests if requests else 0.0


def _highest_rate(evidence: SourceEvidence, stable: Counts) -> float:
    recent = evidence.recent_errors / evidence.recent_requests if evidence.recent_requests else 0.0
    present = stable.errors / stable.requests if stable.requests else 0.0
    return max(_usual_rate(evidence), recent, present)


def is_suspected(evidence: Iterable[SourceEvidence]) -> bool:
    """Whether a one-sample test of any source has odds over even against the canary."""
    return any(
        max(log_mixture(source.log_abs), log_mixture(source.log_bake)) > ROUNDING
        for source in evidence
    )


def update_confirmation(
    evidence: SourceEvidence, seen: WindowCounts, phi: float, *, suspicion: bool
) -> SourceEvidence:
    """Update the comparison with stable that runs while a one-sample test suspects the canary.

    It begins with the poll that raises the suspicion. *phi* is the dispersion before this poll.
    """
    if not suspicion:
        return evidence.evolve(log_confirmation=(), confirmation_requests=0)
    won = confirm(seen.canary, seen.stable)
    log_confirmation = add(evidence.log_confirmation, won, phi)
    return evidence.evolve(
        log_confirmation=log_confirmation,
        confirmation_requests=evidence.confirmation_requests + seen.stable.requests,
    )


def without_comparison(evidence: SourceEvidence) -> SourceEvidence:
    """Reset the bets that compare the canary with the stable revision."""
    return evidence.evolve(log_rel=zeros(len(evidence.log_rel)), log_better=(), log_no_worse=())


def summarise(evidence: Evidence) -> Evidence:
    """Reduce finished evidence to what is still reported: the odds."""
    clients = evidence.client_errors
    return evidence.evolve(
        sources=tuple(_summarise_source(source_evidence) for source_evidence in evidence.sources),
        client_errors=clients and _summarise_source(clients),
    )


def _summarise_source(evidence: SourceEvidence) -> SourceEvidence:
    return evidence.evolve(
        log_rel=_condense(evidence.log_rel),
        log_abs=_condense(evidence.log_abs),
        log_bake=_condense(evidence.log_bake),
        log_better=_condense(evidence.log_better),
        log_no_worse=(),
        log_confirmation=(),
    )


def _condense(logs: Logs) -> Logs:
    return (round(log_mixture(logs), 6),) if logs else ()


def log_odds_against(evidence: SourceEvidence) -> float:
    """Compute the logarithm of the odds against the canary: the strongest of the tests."""
    return Bets(evidence.log_rel, evidence.log_abs, evidence.log_bake).odds
