"""How many pods a weight needs."""

from fractions import Fraction
from math import ceil

from halimede.api.rollout import Scale

FULL_WEIGHT = 100
"""Percent."""
READY_SHARE = 0.9
"""The part of full scale that must be ready before a revision gets all traffic; below ten pods,
every pod."""
OVERLOAD = 2
"""How many times its usual load a pod of the stable revision may carry while traffic comes back
from a bad revision: for a short time that is better than errors."""


def replicas_for_weight(weight: int, replicas: int) -> int:
    """Return how many of *replicas* pods *weight* percent of the traffic needs, rounded up.

    >>> [replicas_for_weight(weight, 4) for weight in (0, 5, 50, 100)]
    [0, 1, 2, 4]
    """
    return 0 if weight == 0 else max(1, ceil(weight * replicas / 100))


def split_replicas(weight: int, replicas: int) -> tuple[int, int]:
    """Choose the numbers of pods of both revisions that come closest to *weight* percent.

    It assumes that requests reach every pod equally often. The total is *replicas* pods or one
    more, and both revisions have at least one, except at 0 and 100 percent. If two choices are
    equally close, the one with the smaller canary is taken.

    Returns:
        The pods of the revision that is rolled out, and those of the stable one.

    >>> split_replicas(5, 4), split_replicas(25, 4), split_replicas(50, 4), split_replicas(30, 1)
    ((1, 4), (1, 3), (2, 2), (1, 1))
    >>> split_replicas(0, 4), split_replicas(100, 4)
    ((0, 4), (4, 0))
    """
    if weight in (0, FULL_WEIGHT):
        return weight * replicas // FULL_WEIGHT, replicas - weight * replicas // FULL_WEIGHT
    share = Fraction(weight, FULL_WEIGHT)
    choices = (
        (canary, pods - canary)
        for pods in (max(2, replicas), max(1, replicas) + 1)
        for canary in (int(share * pods), int(share * pods) + 1)
        if 0 < canary < pods
    )
    return min(choices, key=lambda pair: (abs(Fraction(pair[0], sum(pair)) - share), pair))


def replicas_for_step(scale: Scale | None, weight: int, replicas: int) -> int:
    """Return the pods of a canary: what its step asks for, but no fewer than its weight needs.

    >>> replicas_for_step(None, 5, 4), replicas_for_step(Scale(replicas=3), 5, 4)
    (1, 3)
    >>> replicas_for_step(Scale(percent=50), 75, 4)
    3
    >>> replicas_for_step(None, 0, 4)
    1
    """
    least = max(1, replicas_for_weight(weight, replicas))
    if scale is None:
        return least
    requested = scale.replicas or ceil((scale.percent or 0) * replicas / 100)
    return max(requested, least)


def full_scale(replicas: int) -> int:
    """Return how many ready pods a revision needs to get all traffic.

    >>> full_scale(1), full_scale(9), full_scale(20)
    (1, 9, 18)
    """
    return max(1, ceil(READY_SHARE * replicas)) if replicas else 0


def weight_on_abort(weight: int, *, stable_ready: int, canary_ready: int, replicas: int) -> int:
    """Return the weight that an aborted revision must keep as the stable one cannot carry it.

    It is 0 as soon as half of the stable pods are ready, and it never rises.

    >>> weight_on_abort(50, stable_ready=1, canary_ready=2, replicas=2)
    0
    >>> weight_on_abort(50, stable_ready=3, canary_ready=5, replicas=10)
    50
    >>> weight_on_abort(100, stable_ready=3, canary_ready=5, replicas=10)
    70
    """
    if canary_ready == 0 or OVERLOAD * stable_ready >= max(1, replicas):
        return 0
    return min(weight, 100 - 100 * stable_ready // max(1, replicas))
