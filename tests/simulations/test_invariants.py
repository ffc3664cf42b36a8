"""The invariants hold in random histories, which run on all cores.

`make test HISTORIES=200000` runs more of them, always with the same seeds.
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
"""Declared transitions that need so many conditions at once that no history may reach them."""


def lived(number: int) -> set[Step]:
    """Run one part of the histories and return their decisions."""
    return histories.run(number, PART)


@pytest.fixture(scope="module")
def decisions() -> set[Step]:
    """Return the decisions of all histories; a failing one is printed step by step."""
    parts = range(-(-HISTORIES // PART))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return set().union(*pool.map(lived, parts))


def test_what_happened_is_in_the_table(decisions: set[Step]) -> None:
    """The invariants hold, and every decision has a row in the table."""
    unlisted = [one for one in decisions if not any(declares(row, one) for row in TRANSITIONS)]
    assert sorted(map(str, unlisted)) == []


@pytest.mark.skipif(HISTORIES < USUAL, reason="too few histories for rare ways")
def test_what_is_in_the_table_happened(decisions: set[Step]) -> None:
    """All transitions of the table occur, except for a few that are too rare.

    Every row has its own tests as well.
    """
    gone = {(origin, end) for _, origin, end in decisions}
    listed = {
        (origin, edge.to) for row in TRANSITIONS for edge in row.edges for origin in edge.origins
    }
    assert listed - gone <= RARE, "\n".join(sorted(map(str, listed - gone - RARE)))


@pytest.mark.parametrize("count", [replicas_for_weight, full_scale])
def test_need_never_falls(count: Callable[..., int]) -> None:
    """A higher weight never needs fewer pods."""
    arguments = (
        [(weight, 7) for weight in range(101)]
        if count is replicas_for_weight
        else [(n,) for n in range(60)]
    )
    counted = [count(*one) for one in arguments]
    assert all(lower <= higher for lower, higher in pairwise(counted))
