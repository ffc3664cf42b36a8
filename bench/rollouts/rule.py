"""The judge's rule on arrays: the first axis is the rollout, the second the source.

It reimplements the product's `judge.evidence`, `judge.certify` and `judge.rule` for thousands of
rollouts at a time; a test compares its verdicts with the product's, poll by poll.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halimede.api.analysis import Analysis
from halimede.judge.baseline import ENOUGH_REQUESTS
from halimede.judge.certify import FEW_ERRORS, FEW_RECENT_ERRORS, NEAR, RECENT, UNUSUAL
from halimede.judge.dispersion import CLIPPED, MAX_DIFFERENCES, WORST_DISPERSION
from halimede.judge.evidence import NOTABLE
from halimede.judge.martingales import (
    BETTER,
    BETTER_FACTORS,
    CONFIRMING_RATIOS,
    DEVIATIONS,
    FEW,
    HIGHEST_RATE,
    NEARLY_ALL,
    PASS_FACTORS,
    PASS_STAKES,
    RATIOS,
    ceiling_rates,
)
from halimede.judge.thresholds import (
    BAKE_HOLD,
    CONFIRMATION,
    LOWEST_PART,
    LOWEST_POLLS,
    MIN_ERRORS,
    MIN_POLLS,
    MIN_POLLS_AGAINST,
    ROUNDING,
    SEVERE,
    STEP_HOLD,
    Limits,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_DATA, CONTINUE, PASS, ABORT = range(4)
"""The verdicts as array values."""
BAKE_GROWTH = (1.5, 1.6)
"""Factors of `ceiling_rates`: of the first rate to the ceiling, and of each rate to the next."""
BAKE_RATES = len(ceiling_rates(0.005))
"""Number of rates above the lowest ceiling of a bake, which is the maximum."""


@dataclass(slots=True)
class Poll:
    """The counts of a poll, each of shape (rollouts, sources)."""

    canary: Ints
    canary_errors: Ints
    stable: Ints
    stable_errors: Ints
    stable_seen: Bools | None = None
    """Whether stable was scraped; None: always."""


@dataclass(slots=True)
class EvidenceArrays:
    """The evidence of many rollouts."""

    levels: Floats
    """Of shape (rollouts, steps)."""
    past: Ints
    """Stable's usual requests before the rollout, of shape (rollouts, sources), as the following
    fields."""
    past_errors: Ints
    phi: Floats
    phi_differences: Ints
    log_rel: Floats
    """Of shape (rollouts, sources, rates), as are the other logarithms."""
    log_abs: Floats
    log_bake: Floats
    log_confirmation: Floats
    log_no_worse: Floats
    log_better: Floats
    canary: Ints
    canary_errors: Ints
    usual: Ints
    usual_errors: Ints
    usual_stable: Ints
    usual_stable_errors: Ints
    recent: Floats
    recent_errors: Floats
    confirming: Ints
    polls: Ints
    polls_against: Ints
    highest_against: Floats
    last: Ints
    last_errors: Ints
    bake_ceiling: Floats
    """Not a number before the bake."""

    def only(self, kept: Bools) -> "EvidenceArrays":
        """Keep some of the rollouts."""
        return EvidenceArrays(*(getattr(self, name)[kept] for name in self.__slots__))


def fresh(limits: Limits, levels: Floats, past: tuple[Ints, Ints, Floats, Ints]) -> EvidenceArrays:
    """Create the evidence of rollouts that have counted nothing yet.

    Args:
        limits: The limits of the analysis.
        levels: Of shape (rollouts, steps).
        past: Requests, errors, dispersion and its number of differences, of shape
            (rollouts, sources).
    """
    requests, errors, phi, differences = past
    shape = phi.shape

    def none() -> Ints:
        return np.zeros(shape, dtype=np.int64)

    def logs(size: int) -> Floats:
        return np.zeros((*shape, size))

    return EvidenceArrays(
        levels=levels,
        past=requests,
        past_errors=errors,
        phi=phi,
        phi_differences=differences,
        log_rel=logs(len(RATIOS)),
        log_abs=logs(len(ceiling_rates(limits.ceiling))),
        log_bake=logs(BAKE_RATES),
        log_confirmation=logs(len(CONFIRMING_RATIOS)),
        log_no_worse=logs(len(PASS_FACTORS)),
        log_better=logs(len(BETTER_FACTORS)),
        canary=none(),
        canary_errors=none(),
        usual=none(),
        usual_errors=none(),
        usual_stable=none(),
        usual_stable_errors=none(),
        recent=np.zeros(shape),
        recent_errors=np.zeros(shape),
        confirming=none(),
        polls=none(),
        polls_against=none(),
        highest_against=np.zeros(shape),
        last=none(),
        last_errors=none(),
        bake_ceiling=np.full(shape, np.nan),
    )


def weigh(evidence: EvidenceArrays, seen: Poll, limits: Limits, analysis: Analysis) -> None:
    """Add the counts of a poll to the evidence."""
    phi = np.maximum(1.0, evidence.phi)[..., None]
    cap, low = (
        limits.cap,
        -np.log(LOWEST_PART * np.maximum(evidence.polls, LOWEST_POLLS))[..., None],
    )
    outage = (seen.stable_errors > limits.ceiling * seen.stable).any(axis=1)[:, None]
    judged = np.where(outage, 0, seen.canary)
    errors = np.where(outage, 0, seen.canary_errors)
    rates = np.array(ceiling_rates(limits.ceiling))
    over = _bernoulli(judged, errors, rates, np.float64(limits.ceiling))
    _add(evidence.log_rel, _log_e_worse(evidence, seen) / phi, cap, low)
    _add(evidence.log_abs, over / phi, cap, low)
    ceiling = evidence.bake_ceiling[..., None]
    if not np.isnan(ceiling).all():
        bets = _bernoulli(judged, errors, bake_rates(evidence.bake_ceiling), ceiling)
        _add(evidence.log_bake, np.nan_to_num(bets, nan=0.0) / phi, cap, low)
    evidence.canary = evidence.canary + seen.canary
    evidence.canary_errors = evidence.canary_errors + seen.canary_errors
    evidence.polls = evidence.polls + (seen.canary > 0)
    odds = np.round(against(evidence), 6)
    usual = _usual_rate(evidence) * seen.canary
    notable = NOTABLE * (usual + np.sqrt(np.maximum(1.0, evidence.phi) * usual))
    doubted = odds >= BAKE_HOLD
    higher = (odds > evidence.highest_against) & (seen.canary_errors > notable)
    evidence.polls_against = np.where(doubted, evidence.polls_against + higher, 0)
    height = np.where(higher, odds, evidence.highest_against)
    evidence.highest_against = np.where(doubted, height, 0.0)
    _confirm(evidence, seen, phi)
    _certify(evidence, seen, limits, analysis, outage & (seen.stable == 0))
    _update_recent(evidence, seen)


def _usual_rate(evidence: EvidenceArrays) -> Floats:
    errors = evidence.past_errors + evidence.usual_stable_errors
    rate: Floats = errors / np.maximum(evidence.past + evidence.usual_stable, 1)
    return rate


def _log_e_worse(evidence: EvidenceArrays, seen: Poll) -> Floats:
    recent = np.where(
        evidence.recent > 0, evidence.recent_errors / np.maximum(evidence.recent, 1e-9), 0.0
    )
    present = seen.stable_errors / np.maximum(seen.stable, 1)
    rate = np.maximum(_usual_rate(evidence), np.maximum(recent, present))
    expected = (rate * seen.canary)[..., None] * np.array(RATIOS)
    spread = np.sqrt(np.maximum(1.0, evidence.phi)[..., None] * expected)
    return _compare(seen, np.array(RATIOS), most=expected + DEVIATIONS * spread + FEW)


def _confirm(evidence: EvidenceArrays, seen: Poll, phi: Floats) -> None:
    over = np.maximum(_mixture(evidence.log_abs), _bake_mixture(evidence))
    suspicion = (over > ROUNDING).any(axis=1)[:, None]
    won = _compare(seen, np.array(CONFIRMING_RATIOS)) / phi
    evidence.log_confirmation = np.where(
        suspicion[..., None], evidence.log_confirmation + won, 0.0
    )
    evidence.confirming = np.where(suspicion, evidence.confirming + seen.stable, 0)


def _certify(
    evidence: EvidenceArrays, seen: Poll, limits: Limits, analysis: Analysis, blind: Bools
) -> None:
    phi = np.maximum(1.0, evidence.phi)[..., None]
    last, unusual = evidence.levels[:, -1:], _unusual(evidence, limits)
    enough_errors = evidence.recent_errors >= FEW_RECENT_ERRORS
    rate = np.where(enough_errors, evidence.recent_errors / np.maximum(evidence.recent, 1e-9), 0.0)
    near = rate > NEAR * last
    won = _compare(seen, BETTER * np.array(BETTER_FACTORS), BETTER) / phi
    evidence.log_better = np.where(near[..., None], evidence.log_better + won, 0.0)
    down = blind | (rate > np.maximum(unusual, limits.ceiling))
    troubled = (rate > unusual) & ~down
    tolerated = float(analysis.max_error_ratio)
    won = _compare(seen, tolerated * np.array(PASS_FACTORS), tolerated) / phi
    evidence.log_no_worse = evidence.log_no_worse + np.where(troubled[..., None], won, 0.0)
    few = seen.stable_errors < FEW_ERRORS
    calm = ~down & ~troubled & (few | (seen.stable_errors <= unusual * seen.stable))
    lower = np.minimum(evidence.log_no_worse, 0.0)
    evidence.log_no_worse = np.where(calm[..., None], lower, evidence.log_no_worse)
    evidence.usual = evidence.usual + calm * seen.canary
    evidence.usual_errors = evidence.usual_errors + calm * seen.canary_errors
    evidence.usual_stable = evidence.usual_stable + calm * seen.stable
    evidence.usual_stable_errors = evidence.usual_stable_errors + calm * seen.stable_errors


def _unusual(evidence: EvidenceArrays, limits: Limits) -> Floats:
    past_rate = evidence.past_errors / np.maximum(evidence.past, 1)
    rate: Floats = np.maximum(NEAR * evidence.levels[:, -1:], UNUSUAL * past_rate)
    return np.where(evidence.past < ENOUGH_REQUESTS, limits.ceiling, rate)


def _in_trouble(evidence: EvidenceArrays, seen: Poll, limits: Limits) -> Bools:
    most = np.maximum(limits.ceiling, _unusual(evidence, limits)) * seen.stable
    trouble: Bools = (seen.stable_errors >= FEW_ERRORS) & (seen.stable_errors > most)
    return trouble


def _update_recent(evidence: EvidenceArrays, seen: Poll) -> None:
    evidence.recent = np.round(RECENT * evidence.recent + seen.stable, 3)
    evidence.recent_errors = np.round(RECENT * evidence.recent_errors + seen.stable_errors, 3)
    requests, errors = evidence.last + seen.stable, evidence.last_errors + seen.stable_errors
    used = (evidence.last > 0) & (seen.stable > 0) & (errors > 0) & (errors < requests)
    rate = np.where(used, errors / np.maximum(requests, 1), 0.5)
    before, after = np.maximum(evidence.last, 1), np.maximum(seen.stable, 1)
    gap = evidence.last_errors / before - seen.stable_errors / after
    variance = rate * (1 - rate) * (1 / before + 1 / after)
    count = np.minimum(evidence.phi_differences + 1, MAX_DIFFERENCES)
    usual = np.maximum(1.0, evidence.phi)
    phi = evidence.phi + (np.minimum(gap * gap / variance, CLIPPED * usual) - evidence.phi) / count
    evidence.phi = np.where(used, np.round(np.minimum(phi, WORST_DISPERSION), 6), evidence.phi)
    evidence.phi_differences = np.where(used, count, evidence.phi_differences)
    evidence.last, evidence.last_errors = seen.stable, seen.stable_errors


def decide(
    evidence: EvidenceArrays,
    seen: Poll,
    limits: Limits,
    analysis: Analysis,
    step: Ints,
    state: "State",
) -> NDArray[np.int64]:
    """Return the verdict of each rollout at its step."""
    severe = seen.canary_errors > SEVERE * seen.canary
    often = evidence.polls_against >= np.where(severe, MIN_POLLS, MIN_POLLS_AGAINST)
    stopped = (_log_mean_odds(evidence, seen, limits, state) >= limits.stop) & often.any(axis=1)
    unseen = (evidence.canary == 0).any(axis=1)
    log_odds = np.maximum(certified(evidence, step), _mixture(evidence.log_better))
    content = (
        (against(evidence) < STEP_HOLD)
        & (evidence.canary >= analysis.min_requests)
        & (evidence.polls >= MIN_POLLS)
        & (log_odds >= limits.certify)
    ).all(axis=1)
    content &= ~_in_trouble(evidence, seen, limits).any(axis=1)
    return np.select(
        [stopped, unseen, content & ~state.baking], [ABORT, NO_DATA, PASS], default=CONTINUE
    )


@dataclass(frozen=True, slots=True)
class State:
    """The state of each rollout."""

    baking: Bools
    compared: Bools
    """Whether the stable revision gets requests at the same time."""


def _log_mean_odds(evidence: EvidenceArrays, seen: Poll, limits: Limits, state: State) -> Floats:
    """Compute the logarithm of the mean of all tests' odds.

    If there are fewer columns than sources, a column stands for several sources.
    """
    enough = evidence.canary_errors >= MIN_ERRORS
    confirmed = enough & _confirmed(evidence, seen, state)
    baked = confirmed & ~np.isnan(evidence.bake_ceiling)
    odds = np.where(enough, np.exp(_mixture(evidence.log_rel)), 0.0)
    odds += np.where(confirmed, np.exp(_mixture(evidence.log_abs)), 0.0)
    odds += np.where(baked, np.exp(_bake_mixture(evidence)), 0.0)
    columns = evidence.phi.shape[1]
    tests = limits.tests * columns / len(limits.sources)
    together: Floats = np.log(np.maximum(odds.sum(axis=1) / tests, 1e-300))
    return together


def _confirmed(evidence: EvidenceArrays, seen: Poll, state: State) -> Bools:
    confirmed = _mixture(evidence.log_confirmation) >= CONFIRMATION
    own = evidence.confirming > 0
    by_other = (confirmed & own).any(axis=1)[:, None]
    visible = np.ones_like(own) if seen.stable_seen is None else seen.stable_seen
    unopposed = (~state.compared | visible.any(axis=1))[:, None]
    return np.where(own, confirmed, np.where(own.any(axis=1)[:, None], by_other, unopposed))


def against(evidence: EvidenceArrays) -> Floats:
    """Compute the logarithm of the odds against each rollout, by source."""
    most = np.maximum(_mixture(evidence.log_rel), _mixture(evidence.log_abs))
    return np.maximum(most, _bake_mixture(evidence))


def certified(evidence: EvidenceArrays, step: Ints) -> Floats:
    """Compute the logarithm of each rollout's odds for the certificate of its step."""
    level = np.take_along_axis(evidence.levels, step[:, None], axis=1)[..., None]
    under = _bernoulli(
        evidence.usual, evidence.usual_errors, level * np.array(PASS_FACTORS), level
    )
    bets = under / np.maximum(1.0, evidence.phi)[..., None] + evidence.log_no_worse
    return _mixture(bets + np.log(np.array(PASS_STAKES) * len(PASS_STAKES)))


def bake_rates(ceiling: Floats) -> Floats:
    """Compute `ceiling_rates` for each ceiling, padded with NaN."""
    first, growth = BAKE_GROWTH
    rates = np.empty((*ceiling.shape, BAKE_RATES))
    rate = ceiling * first
    last = np.isnan(ceiling)
    for place in range(BAKE_RATES):
        inside = rate < NEARLY_ALL
        rates[..., place] = np.where(inside, rate, np.where(last, np.nan, HIGHEST_RATE))
        last |= ~inside
        rate = rate * growth
    return rates


def _bake_mixture(evidence: EvidenceArrays) -> Floats:
    used = ~np.isnan(bake_rates(evidence.bake_ceiling))
    logs = np.where(used, evidence.log_bake, -np.inf)
    logs[..., 0] = np.where(used[..., 0], logs[..., 0], 0.0)
    more: Floats = np.log(BAKE_RATES / np.maximum(used.sum(axis=-1), 1))
    mixed = _mixture(logs) + more
    return np.where(np.isnan(evidence.bake_ceiling), 0.0, mixed)


def _compare(
    seen: Poll, ratios: Floats, null: float = 1.0, most: Floats | float = np.inf
) -> Floats:
    both = (seen.canary > 0) & (seen.stable > 0)
    share = (seen.canary / np.maximum(seen.canary + seen.stable, 1))[..., None]
    blend = (1 - share + ratios * share) / (1 - share + null * share)
    bets = np.minimum(seen.canary_errors[..., None], most) * np.log(ratios / null / blend)
    bets -= seen.stable_errors[..., None] * np.log(blend)
    return np.where(both[..., None], bets, 0.0)


def _bernoulli(requests: Ints, errors: Ints, rate: Floats, null: Floats | np.float64) -> Floats:
    good = (requests - errors)[..., None]
    won: Floats = errors[..., None] * np.log(rate / null)
    won += good * (np.log1p(-rate) - np.log1p(-null))
    return won


def _mixture(logs: Floats) -> Floats:
    top: Floats = logs.max(axis=-1)
    mean: Floats = np.log(np.exp(logs - top[..., None]).mean(axis=-1))
    return top + mean


def _add(logs: Floats, won: Floats, cap: float, low: Floats) -> None:
    capped = np.minimum(logs + won, np.maximum(logs, 0.0) + cap)
    np.round(np.maximum(low, capped), 6, out=logs)
