"""Draw random requests and errors for many rollouts at once."""

import numpy as np

from bench.rollouts.rule import Bools, Floats, Ints
from halimede.forecast.simulation import Traffic
from halimede.judge.baseline import BIN, OUTLIER, ROUNDS, TURNS
from halimede.judge.dispersion import ENOUGH_ERRORS, EXTREME, MAX_DIFFERENCES, WORST_DISPERSION


def drawn(
    chance: np.random.Generator, traffic: Traffic, share: Floats, errors: Floats, seconds: float
) -> tuple[Ints, Ints]:
    """Draw the requests and errors of *seconds* seconds at these shares of the traffic."""
    requests = chance.poisson(traffic.per_second * share * seconds)
    if traffic.cluster == 1.0:
        return requests, chance.binomial(requests, errors)
    clusters = chance.binomial(requests, errors / traffic.cluster)
    if traffic.batches:
        return requests, np.minimum(requests, clusters * round(traffic.cluster))
    more = chance.negative_binomial(np.maximum(clusters, 1), 1 / traffic.cluster)
    failed = np.where(clusters > 0, clusters + more, 0)
    return requests, np.minimum(requests, failed)


def past(requests: Ints, errors: Ints) -> tuple[Ints, Ints, Floats, Ints]:
    """Compute the baseline of each rollout as the product's `baseline.summarize_minutes` does.

    Returns:
        For each row of minutes: requests and errors without incidents, the dispersion, and the
        number of differences from which it was computed.
    """
    everything = np.ones(requests.shape, dtype=np.bool_)
    phi, differences = dispersion(requests, errors, everything, incidents=True)
    kept = _without_incidents(requests, errors, phi)
    for _ in range(TURNS):
        phi, differences = dispersion(requests, errors, kept, incidents=False)
        kept = _without_incidents(requests, errors, phi)
    return (requests * kept).sum(axis=1), (errors * kept).sum(axis=1), phi, differences


def _without_incidents(requests: Ints, errors: Ints, phi: Floats) -> Bools:
    kept = np.ones(requests.shape, dtype=np.bool_)
    done = np.zeros(len(requests), dtype=np.bool_)
    for _ in range(ROUNDS):
        total = (requests * kept).sum(axis=1)
        rate = ((errors * kept).sum(axis=1) / np.maximum(total, 1))[:, None]
        expected = requests * rate
        spread = np.maximum(1.0, phi)[:, None] * expected * (1 - rate)
        fewer = kept & (errors <= expected + OUTLIER * np.sqrt(spread) + 1)
        changed = (fewer != kept).any(axis=1) & ~done
        lost = changed & (2 * fewer.sum(axis=1) < requests.shape[1])
        kept = np.where(changed[:, None], fewer, kept) | lost[:, None]
        done |= lost | ~changed
    return kept


def dispersion(
    requests: Ints, errors: Ints, kept: Bools, *, incidents: bool
) -> tuple[Floats, Ints]:
    """Compute the dispersion of each row of bins as `estimate_dispersion` does."""
    pairs = kept[:, 1:] & kept[:, :-1]
    enough_errors = (errors[:, 1:] * pairs).sum(axis=1) >= ENOUGH_ERRORS
    both = requests[:, 1:] + requests[:, :-1]
    failed = errors[:, 1:] + errors[:, :-1]
    used = pairs & (failed > 0) & (failed < both)
    used &= (requests[:, 1:] > 0) & (requests[:, :-1] > 0)
    rate = np.where(used, failed / np.maximum(both, 1), 0.5)
    first, second = np.maximum(requests[:, :-1], 1), np.maximum(requests[:, 1:], 1)
    gap = errors[:, :-1] / first - errors[:, 1:] / second
    value = np.where(used, gap * gap / (rate * (1 - rate) * (1 / first + 1 / second)), np.inf)
    count = used.sum(axis=1)
    if incidents and value.shape[1]:
        place = (EXTREME * np.maximum(count - 1, 0)).astype(np.int64)
        most = np.take_along_axis(np.sort(value, axis=1), place[:, None], axis=1)
        value = np.where(used, np.minimum(value, most), 0.0)
    weight = used.astype(float) if incidents else np.where(used, failed, 0.0)
    mean = (np.where(used, value, 0.0) * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
    measured = enough_errors & (count > 0)
    phi = np.where(measured, np.round(np.minimum(mean, WORST_DISPERSION), 6), 1.0)
    return phi, np.where(measured, np.minimum(count, MAX_DIFFERENCES), 0)


def minutes(chance: np.random.Generator, traffic: Traffic, rates: Floats) -> tuple[Ints, Ints]:
    """Draw stable's requests and errors in minutes with these error rates."""
    return drawn(chance, traffic, np.ones(rates.shape), rates, BIN)
