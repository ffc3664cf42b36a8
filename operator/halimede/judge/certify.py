"""Compute the certificates with which a step passes: the canary is good, or better than stable."""

from halimede.api.status import SourceEvidence
from halimede.judge.baseline import ENOUGH_REQUESTS
from halimede.judge.bets import Changes, Logs, add
from halimede.judge.counts import WindowCounts
from halimede.judge.dispersion import phi_of
from halimede.judge.martingales import better, certificate, no_worse
from halimede.judge.reading import Counts

NEAR = 2 / 3
"""Stable is near a level if its error rate is above this fraction of it."""
UNUSUAL = 2.0
"""Stable's error rate is unusual above this multiple of the baseline."""
RECENT = 0.75
"""Factor by which each poll reduces the weight of earlier polls in stable's recent error rate, so
that about the last four polls determine it."""
FEW_ERRORS = 2
"""Minimum number of errors in one poll for stable's error rate to be unusual."""
FEW_RECENT_ERRORS = 3
"""Minimum number of errors in the recent polls for stable's error rate to be unusual."""


def update_certificates(
    evidence: SourceEvidence,
    seen: WindowCounts,
    levels: Logs,
    ceiling: float,
    tolerated: float,
    *,
    blind: bool,
) -> Changes:
    """Add a poll to the evidence for the canary, depending on stable's error rate.

    While stable's rate is usual, the canary's counts are added up. While it is unusual, the canary
    is compared with stable. While it is unusual and over the ceiling, has only just become
    unusual, or is known from another source only, the poll adds nothing. The choice depends on
    earlier polls and on stable's counts only, so the bets remain supermartingales.
    """
    enough_errors = evidence.recent_errors >= FEW_RECENT_ERRORS
    rate = evidence.recent_errors / evidence.recent_requests if enough_errors else 0.0
    unusual = _unusual(evidence, levels, ceiling)
    phi = phi_of(evidence)
    changes: Changes = {
        "recent_requests": round(RECENT * evidence.recent_requests + seen.stable.requests, 3),
        "recent_errors": round(RECENT * evidence.recent_errors + seen.stable.errors, 3),
    }
    changes["log_better"] = ()
    if rate > NEAR * levels[-1]:
        won = better(seen.canary, seen.stable)
        changes["log_better"] = add(evidence.log_better, won, phi)
    if blind or rate > max(unusual, ceiling):
        pass
    elif rate > unusual:
        won = no_worse(seen.canary, seen.stable, tolerated)
        changes["log_no_worse"] = add(evidence.log_no_worse, won, phi)
    elif seen.stable.errors < FEW_ERRORS or seen.stable.errors <= unusual * seen.stable.requests:
        changes |= {
            "usual_requests": evidence.usual_requests + seen.canary.requests,
            "usual_errors": evidence.usual_errors + seen.canary.errors,
            "usual_stable_requests": evidence.usual_stable_requests + seen.stable.requests,
            "usual_stable_errors": evidence.usual_stable_errors + seen.stable.errors,
            # A comparison won while stable was unusual is no evidence at a usual rate.
            "log_no_worse": tuple(min(log, 0.0) for log in evidence.log_no_worse),
        }
    return changes


def in_trouble(evidence: SourceEvidence, stable: Counts, levels: Logs, ceiling: float) -> bool:
    """Whether stable's error rate in a poll was unusual and over the ceiling."""
    most = max(ceiling, _unusual(evidence, levels, ceiling)) * stable.requests
    return stable.errors >= FEW_ERRORS and stable.errors > most


def _unusual(evidence: SourceEvidence, levels: Logs, ceiling: float) -> float:
    """Compute the error rate above which stable is unusual."""
    if evidence.past_requests < ENOUGH_REQUESTS:
        return ceiling
    return max(NEAR * levels[-1], UNUSUAL * evidence.past_errors / evidence.past_requests)


def log_odds_pass(evidence: SourceEvidence, level: float) -> float:
    """Compute the logarithm of the odds for an error rate of the canary below *level*."""
    counts = Counts(evidence.usual_requests, evidence.usual_errors)
    return certificate(counts, level, phi_of(evidence), evidence.log_no_worse)
