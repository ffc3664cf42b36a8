"""Whatever happens in whatever order, the invariants hold: random histories, live on all cores.

`make test HISTORIES=200000` lives through more of them, always from the same seeds.
"""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from traceback import format_exception

import pytest

from halimede.rollout.capacity import full, need
from halimede.rollout.transitions import TRANSITIONS
from tests.support import histories
from tests.support.recorder import Step, declares

HISTORIES = int(os.environ.get("HISTORIES") or 10_000)
PART = 500
"""Histories with one seed."""


def lived(number: int) -> set[Step] | str:
    """Live through one part; return who decided what, or how it went wrong."""
    try:
        return histories.run(number, PART)
    except Exception as error:
        return f"in part {number}: {''.join(format_exception(error))}"


@pytest.fixture(scope="module")
def decisions() -> set[Step]:
    """Tell who decided what in all histories; in a failed one, tell the history."""
    parts = range(-(-HISTORIES // PART))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        told = list(pool.map(lived, parts))
    failed = [one for one in told if isinstance(one, str)]
    assert not failed, failed[0]
    return {step for one in told if not isinstance(one, str) for step in one}


def test_what_happened_is_in_the_table(decisions: set[Step]) -> None:
    """I1 to I12 held; nothing decides in a place, or goes to one, that its row does not tell of."""
    untold = [one for one in decisions if not any(declares(row, one) for row in TRANSITIONS)]
    assert sorted(map(str, untold)) == []


def test_what_is_in_the_table_happened(decisions: set[Step]) -> None:
    """No row tells of a change of state that never comes about."""
    gone = {(origin, end) for _, origin, end in decisions}
    told = {(origin, way.to) for row in TRANSITIONS for way in row.ways for origin in way.origins}
    assert sorted(map(str, told - gone)) == []


@pytest.mark.parametrize("count", [need, full])
def test_need_never_falls(count: Callable[..., int]) -> None:
    """More traffic never needs fewer pods."""
    arguments = (
        [(weight, 7) for weight in range(101)] if count is need else [(n,) for n in range(60)]
    )
    counted = [count(*one) for one in arguments]
    assert all(lower <= higher for lower, higher in pairwise(counted))
