"""The judge's rule on arrays: the first axis is the rollout, the second the source.

It is the product's `judge.weigh` and `judge.rule` written once more, for thousands of rollouts at
a time; a test holds it to the product's verdicts, poll by poll.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from halimede.api.rollout import Analysis
from halimede.judge.limits import LOWEST, MIN_ERRORS, MIN_POLLS, SUSPICION, Limits
from halimede.judge.processes import (
    HIGHEST_RATE,
    NEARLY_ALL,
    PASS_FACTORS,
    RATIOS,
    ceiling_rates,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_DATA, CONTINUE, PASS, ABORT = range(4)
"""The verdicts, as they are written into arrays."""
BAKE_GROWTH = (1.5, 1.6)
"""How `ceiling_rates` begins and goes on."""
BAKE_RATES = len(ceiling_rates(0.005))
"""How many rates are bet on above the lowest ceiling of a bake: the most there are."""


@dataclass(slots=True)
class Poll:
    """What a poll showed, each of shape (rollouts, sources)."""

    canary: Ints
    canary_errors: Ints
    stable: Ints
    stable_errors: Ints


@dataclass(slots=True)
class Held:
    """The evidence of many rollouts."""

    phi: Floats
    """Of shape (rollouts, sources)."""
    levels: Floats
    """Of shape (rollouts, steps)."""
    log_rel: Floats
    """Of shape (rollouts, sources, rates), as are the others."""
    log_abs: Floats
    canary: Ints
    canary_errors: Ints
    stable: Ints
    stable_errors: Ints
    polls: Ints
    bake_ceiling: Floats
    """Of shape (rollouts, sources); not a number before the bake."""
    log_bake: Floats

    def only(self, kept: Bools) -> "Held":
        """Keep some of the rollouts."""
        return Held(*(getattr(self, name)[kept] for name in self.__slots__))


def fresh(limits: Limits, levels: Floats, phi: Floats) -> Held:
    """Start without any evidence."""
    rollouts, sources = phi.shape
    none = np.zeros((rollouts, sources), dtype=np.int64)
    return Held(
        phi=phi,
        levels=levels,
        log_rel=np.zeros((rollouts, sources, len(RATIOS))),
        log_abs=np.zeros((rollouts, sources, len(ceiling_rates(limits.ceiling)))),
        canary=none,
        canary_errors=none.copy(),
        stable=none.copy(),
        stable_errors=none.copy(),
        polls=none.copy(),
        bake_ceiling=np.full((rollouts, sources), np.nan),
        log_bake=np.zeros((rollouts, sources, BAKE_RATES)),
    )


def weigh(held: Held, seen: Poll, limits: Limits) -> None:
    """Add what a poll showed."""
    phi, cap = held.phi[..., None], limits.cap
    outage = seen.stable_errors > limits.ceiling * seen.stable
    judged = np.where(outage, 0, seen.canary)
    errors = np.where(outage, 0, seen.canary_errors)
    rates = np.array(ceiling_rates(limits.ceiling))
    over = _bernoulli(judged, errors, rates, np.float64(limits.ceiling))
    _add(held.log_rel, np.minimum(_worse(seen) / phi, cap))
    _add(held.log_abs, np.minimum(over / phi, cap))
    ceiling = held.bake_ceiling[..., None]
    if not np.isnan(ceiling).all():
        bets = _bernoulli(seen.canary, seen.canary_errors, bake_rates(held.bake_ceiling), ceiling)
        _add(held.log_bake, np.minimum(np.nan_to_num(bets, nan=0.0) / phi, cap))
    held.canary = held.canary + seen.canary
    held.canary_errors = held.canary_errors + seen.canary_errors
    held.stable = held.stable + seen.stable
    held.stable_errors = held.stable_errors + seen.stable_errors
    held.polls = held.polls + (seen.canary > 0)


def decide(
    held: Held, limits: Limits, analysis: Analysis, step: Ints, baking: Bools
) -> NDArray[np.int64]:
    """Say what the evidence of each rollout allows at its step."""
    against = np.maximum(_mixture(held.log_rel), _mixture(held.log_abs))
    against = np.maximum(against, _bake_mixture(held))
    stopped = ((against >= limits.stop) & (held.canary_errors >= MIN_ERRORS)).any(axis=1)
    unseen = (held.canary == 0).any(axis=1)
    content = (
        (against < SUSPICION)
        & (held.canary >= analysis.min_requests)
        & (held.polls >= MIN_POLLS)
        & (certified(held, step) >= limits.certify)
    ).all(axis=1)
    return np.select(
        [stopped, unseen, content & ~baking], [ABORT, NO_DATA, PASS], default=CONTINUE
    )


def certified(held: Held, step: Ints) -> Floats:
    """Tell the logarithm of each rollout's odds for what its step demands."""
    level = np.take_along_axis(held.levels, step[:, None], axis=1)[..., None]
    under = _bernoulli(held.canary, held.canary_errors, level * PASS_FACTORS, level)
    return _mixture(under / held.phi[..., None])


def bake_rates(ceiling: Floats) -> Floats:
    """List what `ceiling_rates` does for each ceiling, and nothing in the places that are left."""
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
    return _mixture(logs) + more


def _worse(seen: Poll) -> Floats:
    both = (seen.canary > 0) & (seen.stable > 0)
    share = seen.canary / np.maximum(seen.canary + seen.stable, 1)
    ratios = np.array(RATIOS)
    blend = 1 - share[..., None] + ratios * share[..., None]
    bets = seen.canary_errors[..., None] * np.log(ratios / blend)
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


def _add(logs: Floats, won: Floats) -> None:
    np.round(np.maximum(LOWEST, logs + won), 6, out=logs)
