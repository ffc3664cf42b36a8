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
from halimede.judge.dispersion import CLIPPED, MOST_LOOKS, WORST_DISPERSION
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
class Held:
    """The evidence of many rollouts."""

    levels: Floats
    """Of shape (rollouts, steps)."""
    past: Ints
    """Stable's usual requests before the rollout, of shape (rollouts, sources), as the following
    fields."""
    past_errors: Ints
    phi: Floats
    phi_looks: Ints
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

    def only(self, kept: Bools) -> "Held":
        """Keep some of the rollouts."""
        return Held(*(getattr(self, name)[kept] for name in self.__slots__))


def fresh(limits: Limits, levels: Floats, past: tuple[Ints, Ints, Floats, Ints]) -> Held:
    """Create the evidence of rollouts that have counted nothing yet.

    Args:
        limits: The limits of the analysis.
        levels: Of shape (rollouts, steps).
        past: Requests, errors, dispersion and its number of differences, of shape
            (rollouts, sources).
    """
    requests, errors, phi, looks = past
    shape = phi.shape

    def none() -> Ints:
        return np.zeros(shape, dtype=np.int64)

    def logs(size: int) -> Floats:
        return np.zeros((*shape, size))

    return Held(
        levels=levels,
        past=requests,
        past_errors=errors,
        phi=phi,
        phi_looks=looks,
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


def weigh(held: Held, seen: Poll, limits: Limits, analysis: Analysis) -> None:
    """Add the counts of a poll to the evidence."""
    phi = np.maximum(1.0, held.phi)[..., None]
    cap, low = limits.cap, -np.log(LOWEST_PART * np.maximum(held.polls, LOWEST_POLLS))[..., None]
    outage = (seen.stable_errors > limits.ceiling * seen.stable).any(axis=1)[:, None]
    judged = np.where(outage, 0, seen.canary)
    errors = np.where(outage, 0, seen.canary_errors)
    rates = np.array(ceiling_rates(limits.ceiling))
    over = _bernoulli(judged, errors, rates, np.float64(limits.ceiling))
    _add(held.log_rel, _log_e_worse(held, seen) / phi, cap, low)
    _add(held.log_abs, over / phi, cap, low)
    ceiling = held.bake_ceiling[..., None]
    if not np.isnan(ceiling).all():
        bets = _bernoulli(judged, errors, bake_rates(held.bake_ceiling), ceiling)
        _add(held.log_bake, np.nan_to_num(bets, nan=0.0) / phi, cap, low)
    held.canary = held.canary + seen.canary
    held.canary_errors = held.canary_errors + seen.canary_errors
    held.polls = held.polls + (seen.canary > 0)
    odds = np.round(against(held), 6)
    usual = _usual_rate(held) * seen.canary
    notable = NOTABLE * (usual + np.sqrt(np.maximum(1.0, held.phi) * usual))
    doubted = odds >= BAKE_HOLD
    higher = (odds > held.highest_against) & (seen.canary_errors > notable)
    held.polls_against = np.where(doubted, held.polls_against + higher, 0)
    height = np.where(higher, odds, held.highest_against)
    held.highest_against = np.where(doubted, height, 0.0)
    _confirm(held, seen, phi)
    _certify(held, seen, limits, analysis, outage & (seen.stable == 0))
    _update_recent(held, seen)


def _usual_rate(held: Held) -> Floats:
    errors = held.past_errors + held.usual_stable_errors
    rate: Floats = errors / np.maximum(held.past + held.usual_stable, 1)
    return rate


def _log_e_worse(held: Held, seen: Poll) -> Floats:
    recent = np.where(held.recent > 0, held.recent_errors / np.maximum(held.recent, 1e-9), 0.0)
    present = seen.stable_errors / np.maximum(seen.stable, 1)
    rate = np.maximum(_usual_rate(held), np.maximum(recent, present))
    expected = (rate * seen.canary)[..., None] * np.array(RATIOS)
    spread = np.sqrt(np.maximum(1.0, held.phi)[..., None] * expected)
    return _compare(seen, np.array(RATIOS), most=expected + DEVIATIONS * spread + FEW)


def _confirm(held: Held, seen: Poll, phi: Floats) -> None:
    over = np.maximum(_mixture(held.log_abs), _bake_mixture(held))
    suspicion = (over > ROUNDING).any(axis=1)[:, None]
    won = _compare(seen, np.array(CONFIRMING_RATIOS)) / phi
    held.log_confirmation = np.where(suspicion[..., None], held.log_confirmation + won, 0.0)
    held.confirming = np.where(suspicion, held.confirming + seen.stable, 0)


def _certify(held: Held, seen: Poll, limits: Limits, analysis: Analysis, blind: Bools) -> None:
    phi = np.maximum(1.0, held.phi)[..., None]
    last, unusual = held.levels[:, -1:], _unusual(held, limits)
    enough_errors = held.recent_errors >= FEW_RECENT_ERRORS
    rate = np.where(enough_errors, held.recent_errors / np.maximum(held.recent, 1e-9), 0.0)
    near = rate > NEAR * last
    won = _compare(seen, BETTER * np.array(BETTER_FACTORS), BETTER) / phi
    held.log_better = np.where(near[..., None], held.log_better + won, 0.0)
    down = blind | (rate > np.maximum(unusual, limits.ceiling))
    troubled = (rate > unusual) & ~down
    tolerated = float(analysis.max_error_ratio)
    won = _compare(seen, tolerated * np.array(PASS_FACTORS), tolerated) / phi
    held.log_no_worse = held.log_no_worse + np.where(troubled[..., None], won, 0.0)
    few = seen.stable_errors < FEW_ERRORS
    calm = ~down & ~troubled & (few | (seen.stable_errors <= unusual * seen.stable))
    lower = np.minimum(held.log_no_worse, 0.0)
    held.log_no_worse = np.where(calm[..., None], lower, held.log_no_worse)
    held.usual = held.usual + calm * seen.canary
    held.usual_errors = held.usual_errors + calm * seen.canary_errors
    held.usual_stable = held.usual_stable + calm * seen.stable
    held.usual_stable_errors = held.usual_stable_errors + calm * seen.stable_errors


def _unusual(held: Held, limits: Limits) -> Floats:
    past_rate = held.past_errors / np.maximum(held.past, 1)
    rate: Floats = np.maximum(NEAR * held.levels[:, -1:], UNUSUAL * past_rate)
    return np.where(held.past < ENOUGH_REQUESTS, limits.ceiling, rate)


def _in_trouble(held: Held, seen: Poll, limits: Limits) -> Bools:
    most = np.maximum(limits.ceiling, _unusual(held, limits)) * seen.stable
    trouble: Bools = (seen.stable_errors >= FEW_ERRORS) & (seen.stable_errors > most)
    return trouble


def _update_recent(held: Held, seen: Poll) -> None:
    held.recent = np.round(RECENT * held.recent + seen.stable, 3)
    held.recent_errors = np.round(RECENT * held.recent_errors + seen.stable_errors, 3)
    requests, errors = held.last + seen.stable, held.last_errors + seen.stable_errors
    used = (held.last > 0) & (seen.stable > 0) & (errors > 0) & (errors < requests)
    rate = np.where(used, errors / np.maximum(requests, 1), 0.5)
    before, after = np.maximum(held.last, 1), np.maximum(seen.stable, 1)
    gap = held.last_errors / before - seen.stable_errors / after
    variance = rate * (1 - rate) * (1 / before + 1 / after)
    count = np.minimum(held.phi_looks + 1, MOST_LOOKS)
    usual = np.maximum(1.0, held.phi)
    phi = held.phi + (np.minimum(gap * gap / variance, CLIPPED * usual) - held.phi) / count
    held.phi = np.where(used, np.round(np.minimum(phi, WORST_DISPERSION), 6), held.phi)
    held.phi_looks = np.where(used, count, held.phi_looks)
    held.last, held.last_errors = seen.stable, seen.stable_errors


def decide(
    held: Held, seen: Poll, limits: Limits, analysis: Analysis, step: Ints, state: "State"
) -> NDArray[np.int64]:
    """Return the verdict of each rollout at its step."""
    severe = seen.canary_errors > SEVERE * seen.canary
    often = held.polls_against >= np.where(severe, MIN_POLLS, MIN_POLLS_AGAINST)
    stopped = (_log_mean_odds(held, seen, limits, state) >= limits.stop) & often.any(axis=1)
    unseen = (held.canary == 0).any(axis=1)
    log_odds = np.maximum(certified(held, step), _mixture(held.log_better))
    content = (
        (against(held) < STEP_HOLD)
        & (held.canary >= analysis.min_requests)
        & (held.polls >= MIN_POLLS)
        & (log_odds >= limits.certify)
    ).all(axis=1)
    content &= ~_in_trouble(held, seen, limits).any(axis=1)
    return np.select(
        [stopped, unseen, content & ~state.baking], [ABORT, NO_DATA, PASS], default=CONTINUE
    )


@dataclass(frozen=True, slots=True)
class State:
    """The state of each rollout."""

    baking: Bools
    compared: Bools
    """Whether the stable revision gets requests at the same time."""


def _log_mean_odds(held: Held, seen: Poll, limits: Limits, state: State) -> Floats:
    """Compute the logarithm of the mean of all tests' odds.

    If there are fewer columns than sources, a column stands for several sources.
    """
    enough = held.canary_errors >= MIN_ERRORS
    confirmed = enough & _confirmed(held, seen, state)
    baked = confirmed & ~np.isnan(held.bake_ceiling)
    odds = np.where(enough, np.exp(_mixture(held.log_rel)), 0.0)
    odds += np.where(confirmed, np.exp(_mixture(held.log_abs)), 0.0)
    odds += np.where(baked, np.exp(_bake_mixture(held)), 0.0)
    columns = held.phi.shape[1]
    tests = limits.tests * columns / len(limits.sources)
    together: Floats = np.log(np.maximum(odds.sum(axis=1) / tests, 1e-300))
    return together


def _confirmed(held: Held, seen: Poll, state: State) -> Bools:
    confirmed = _mixture(held.log_confirmation) >= CONFIRMATION
    own = held.confirming > 0
    by_other = (confirmed & own).any(axis=1)[:, None]
    visible = np.ones_like(own) if seen.stable_seen is None else seen.stable_seen
    unopposed = (~state.compared | visible.any(axis=1))[:, None]
    return np.where(own, confirmed, np.where(own.any(axis=1)[:, None], by_other, unopposed))


def against(held: Held) -> Floats:
    """Compute the logarithm of the odds against each rollout, by source."""
    most = np.maximum(_mixture(held.log_rel), _mixture(held.log_abs))
    return np.maximum(most, _bake_mixture(held))


def certified(held: Held, step: Ints) -> Floats:
    """Compute the logarithm of each rollout's odds for the certificate of its step."""
    level = np.take_along_axis(held.levels, step[:, None], axis=1)[..., None]
    under = _bernoulli(held.usual, held.usual_errors, level * np.array(PASS_FACTORS), level)
    bets = under / np.maximum(1.0, held.phi)[..., None] + held.log_no_worse
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


def _bake_mixture(held: Held) -> Floats:
    used = ~np.isnan(bake_rates(held.bake_ceiling))
    logs = np.where(used, held.log_bake, -np.inf)
    logs[..., 0] = np.where(used[..., 0], logs[..., 0], 0.0)
    more: Floats = np.log(BAKE_RATES / np.maximum(used.sum(axis=-1), 1))
    mixed = _mixture(logs) + more
    return np.where(np.isnan(held.bake_ceiling), 0.0, mixed)


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
