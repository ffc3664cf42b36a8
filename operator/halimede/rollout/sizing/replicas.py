"""How many pods a share of the traffic needs."""

from fractions import Fraction
from math import ceil

from halimede.api.rollout import Scale

FULL_WEIGHT = 100
"""Percent."""
READY_SHARE = 0.9
"""Of the full scale, so much must be ready before a revision gets all traffic; below ten pods
that is every pod."""
OVERLOAD = 2
"""How many times its usual load a pod of the stable revision may carry while a bad revision's
traffic comes back: for a moment better than errors."""


def replicas_for_weight(weight: int, replicas: int) -> int:
    """Count the pods of *replicas* that *weight* percent of the traffic needs, rounding up.

    >>> [replicas_for_weight(weight, 4) for weight in (0, 5, 50, 100)]
    [0, 1, 2, 4]
    """
    return 0 if weight == 0 else max(1, ceil(weight * replicas / 100))


def split_replicas(weight: int, replicas: int) -> tuple[int, int]:
    """Choose how many pods of either revision come nearest to a share of *weight* percent.

    For clients that meet every pod equally often. Of *replicas* pods or one more, neither
    revision has none; where two choices are as near, the smaller canary is taken.

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
    near = (
        (canary, pods - canary)
        for pods in (max(2, replicas), max(1, replicas) + 1)
        for canary in (int(share * pods), int(share * pods) + 1)
        if 0 < canary < pods
    )
    return min(near, key=lambda pair: (abs(Fraction(pair[0], sum(pair)) - share), pair))


def canary_replicas(scale: Scale | None, weight: int, replicas: int) -> int:
    """Count the pods of a canary: what its step asks for, and never fewer than its share needs.

    >>> canary_replicas(None, 5, 4), canary_replicas(Scale(replicas=3), 5, 4)
    (1, 3)
    >>> canary_replicas(Scale(percent=50), 75, 4)
    3
    >>> canary_replicas(None, 0, 4)
    1
    """
    least = max(1, replicas_for_weight(weight, replicas))
    if scale is None:
        return least
    asked = scale.replicas or ceil((scale.percent or 0) * replicas / 100)
    return max(asked, least)


def full_scale(replicas: int) -> int:
    """Count the ready pods with which a revision may carry everything.

    >>> full_scale(1), full_scale(9), full_scale(20)
    (1, 9, 18)
    """
    return max(1, ceil(READY_SHARE * replicas)) if replicas else 0


def weight_on_abort(weight: int, *, stable_ready: int, canary_ready: int, replicas: int) -> int:
    """Say what share a stopped revision must keep, because the stable one could not carry it.

    That is none as soon as half of the stable pods are ready; and it never rises.

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
