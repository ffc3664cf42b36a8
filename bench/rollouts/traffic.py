"""Requests at random, for many rollouts at once."""

import numpy as np

from bench.rollouts.rule import Floats, Ints
from halimede.judge.past import BIN, ENOUGH_ERRORS, HISTORY, WORST_DISPERSION
from halimede.judge.simulation import Traffic


def drawn(
    chance: np.random.Generator, traffic: Traffic, share: Floats, errors: Floats, seconds: float
) -> tuple[Ints, Ints]:
    """Draw requests and errors in some seconds of these shares of the traffic."""
    requests = chance.poisson(traffic.per_second * share * seconds)
    clusters = chance.binomial(requests, errors / traffic.cluster)
    if traffic.cluster == 1.0:
        return requests, clusters
    more = chance.negative_binomial(np.maximum(clusters, 1), 1 / traffic.cluster)
    failed = np.where(clusters > 0, clusters + more, 0)
    return requests, np.minimum(requests, failed)


def past(
    chance: np.random.Generator, traffic: Traffic, rollouts: int
) -> tuple[Ints, Ints, Floats]:
    """Draw stable's two hours before each rollout: requests, errors, and the dispersion."""
    bins = (rollouts, int(HISTORY / BIN))
    requests, errors = drawn(
        chance, traffic, np.ones(bins), np.full(bins, traffic.stable_errors), BIN
    )
    return requests.sum(axis=1), errors.sum(axis=1), dispersion(requests, errors)


def dispersion(requests: Ints, errors: Ints) -> Floats:
    """Compute what the product's `past.dispersion` does, for each row of bins."""
    used = requests > 0
    total, failed = requests.sum(axis=1), errors.sum(axis=1)
    known = (failed >= ENOUGH_ERRORS) & (failed < total) & (used.sum(axis=1) > 1)
    rate = np.where(known, failed / np.maximum(total, 1), 0.5)[:, None]
    spread = np.where(used, requests, 1) * rate * (1 - rate)
    square = np.where(used, (errors - requests * rate) ** 2 / spread, 0.0).sum(axis=1)
    phi = np.clip(square / np.maximum(used.sum(axis=1) - 1, 1), 1.0, WORST_DISPERSION)
    return np.where(known, np.round(phi, 6), 1.0)
