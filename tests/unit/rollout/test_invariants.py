"""Whatever happens in whatever order, the invariants hold: random histories, live on all cores.

`make test HISTORIES=200000` lives through more of them, always from the same seeds.
"""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context

import pytest

from halimede.api.status import State
from halimede.rollout.sizing.replicas import full_scale, replicas_for_weight
from tests.support import histories
from tests.support.recorder import Step, declares
from tools.transitions import TRANSITIONS

USUAL = 10_000
HISTORIES = int(os.environ.get("HISTORIES") or USUAL)
PART = 500
"""Histories with one seed."""
RARE = {
    (State.AWAITING_PROMOTION, State.STARTING),
    (State.MIRRORING, State.PRIMING),
    (State.MIRRORING, State.SCALING_UP),
    (State.PROMOTING, State.STARTING),
    (State.PROMOTING, State.STOPPING),
    (State.STARTING, State.STOPPING),
}
"""Declared changes of state that need so much at the same time that all of them may miss it."""


def lived(number: int) -> set[Step]:
    """Live through one part; return who decided what."""
    return histories.run(number, PART)


@pytest.fixture(scope="module")
def decisions() -> set[Step]:
    """Tell who decided what in all histories; the first that fails is told step by step."""
    parts = range(-(-HISTORIES // PART))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return set().union(*pool.map(lived, parts))


def test_what_happened_is_in_the_table(decisions: set[Step]) -> None:
    """I1 to I13 held, and nothing decides where its row of the table does not tell of it."""
    untold = [one for one in decisions if not any(declares(row, one) for row in TRANSITIONS)]
    assert sorted(map(str, untold)) == []


@pytest.mark.skipif(HISTORIES < USUAL, reason="too few histories for rare ways")
def test_what_is_in_the_table_happened(decisions: set[Step]) -> None:
    """The changes of state that rows tell of come about, but for a few that are too rare.

    Every row has tests of its own besides.
    """
    gone = {(origin, end) for _, origin, end in decisions}
    told = {(origin, way.to) for row in TRANSITIONS for way in row.ways for origin in way.origins}
    assert told - gone <= RARE, "\n".join(sorted(map(str, told - gone - RARE)))


@pytest.mark.parametrize("count", [replicas_for_weight, full_scale])
def test_need_never_falls(count: Callable[..., int]) -> None:
    """More traffic never needs fewer pods."""
    arguments = (
        [(weight, 7) for weight in range(101)]
        if count is replicas_for_weight
        else [(n,) for n in range(60)]
    )
    counted = [count(*one) for one in arguments]
    assert all(lower <= higher for lower, higher in pairwise(counted))
