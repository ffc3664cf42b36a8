"""How much errors cluster: phi, Pearson's chi-square over its degrees of freedom.

Independent errors give 1; errors in clusters of mean size m give about m if all clusters have the
same size, and 2 m - 1 if the size is geometric. Evidence is divided by phi because clustered
errors are weaker evidence (McCullagh and Nelder, Generalized Linear Models, 1989, section 4.5).

Phi is computed from the differences between neighbouring periods, as in von Neumann's ratio
(https://doi.org/10.1214/aoms/1177731677): an outage or a slow rise counts only at its start and
its end, whereas clusters count everywhere.
"""

from collections.abc import Iterable
from itertools import pairwise

from halimede.api.status import SourceEvidence
from halimede.judge.bets import Changes
from halimede.judge.reading import Counts

ENOUGH_ERRORS = 10
"""Minimum number of errors for an estimate of the dispersion."""
WORST_DISPERSION = 100.0
"""Upper bound of phi."""
MAX_DIFFERENCES = 100
"""Maximum number of differences in the running mean, so that it follows changes."""
CLIPPED = 10.0
"""A new difference counts at most this many times phi, which limits the effect of incidents."""
EXTREME = 0.95
"""If incidents are not yet excluded, differences above this quantile count as the quantile. The
largest differences occur at the start and end of incidents."""


def estimate_dispersion(
    pairs: Iterable[tuple[Counts, Counts]], *, incidents: bool
) -> tuple[float, int]:
    """Compute phi from pairs of neighbouring periods of equal length.

    Without incidents each pair is weighted by its errors, so that phi is the variance over the
    mean even if most periods have no cluster.

    Args:
        pairs: The counts of both periods.
        incidents: Whether the periods may contain incidents.

    Returns:
        Phi, at most `WORST_DISPERSION`, and the number of differences it was computed from; 1 and
        0 if there are too few errors.
    """
    values, weights, errors = list[float](), list[int](), 0
    for before, after in pairs:
        errors += after.errors
        value = difference(before, after)
        if value is not None:
            values.append(value)
            weights.append(1 if incidents else before.errors + after.errors)
    if errors < ENOUGH_ERRORS or not values:
        return 1.0, 0
    if incidents:
        most = sorted(values)[int(EXTREME * (len(values) - 1))]
        values = [min(value, most) for value in values]
    phi = sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)
    return round(min(phi, WORST_DISPERSION), 6), min(len(values), MAX_DIFFERENCES)


def neighbours(bins: Iterable[Counts | None]) -> Iterable[tuple[Counts, Counts]]:
    """Yield the pairs of consecutive periods; None marks an excluded period."""
    for before, after in pairwise(bins):
        if before is not None and after is not None:
            yield before, after


def difference(before: Counts, after: Counts) -> float | None:
    """Compute the chi-square, of one degree of freedom, of the difference of two error rates.

    Returns:
        None if there were no errors, nothing but errors, or no requests in one of the periods.
    """
    requests, errors = before.requests + after.requests, before.errors + after.errors
    if not before.requests or not after.requests or not 0 < errors < requests:
        return None
    rate = errors / requests
    gap = before.errors / before.requests - after.errors / after.requests
    variance = rate * (1 - rate) * (1 / before.requests + 1 / after.requests)
    return gap * gap / variance


def add_difference(phi: float, differences: int, value: float) -> tuple[float, int]:
    """Add a difference to a dispersion that is the mean of as many *differences*."""
    count = min(differences + 1, MAX_DIFFERENCES)
    usual = max(1.0, phi)
    updated = phi + (min(value, CLIPPED * usual) - phi) / count
    return round(min(updated, WORST_DISPERSION), 6), count


def phi_of(evidence: SourceEvidence) -> float:
    """Return the dispersion by which evidence is divided, at least 1."""
    return max(1.0, evidence.dispersion)


def update_dispersion(evidence: SourceEvidence, stable: Counts) -> Changes:
    """Update the dispersion with stable's counts of a poll."""
    value = difference(Counts(evidence.last_requests, evidence.last_errors), stable)
    phi, differences = evidence.dispersion, evidence.dispersion_differences
    if value is not None:
        phi, differences = add_difference(phi, differences, value)
    return {
        "dispersion": phi,
        "dispersion_differences": differences,
        "last_requests": stable.requests,
        "last_errors": stable.errors,
    }
