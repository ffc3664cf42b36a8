"""A revision that fails only in the bake."""

from dataclasses import replace

import pytest

from halimede.api.status import Outcome, State
from harness.data import digits
from harness.images import Images
from harness.load import Load
from harness.records import Outcome as Answer
from harness.watch import Snapshot
from tests.e2e.user import CROWD, User

V3_BEARS = 350.0
"""The ink, as the sum of an image's pixels, above which v3 answers with an error."""


@pytest.mark.transition("verdict-abort-in-bake")
def test_a_model_that_turns_bad_in_the_bake_gives_way_to_the_warm_one(user: User) -> None:
    """Given v3 in the bake, when users send images that it fails on, then v1 has all traffic."""
    everything = digits()[1]
    light = everything.pixels.sum(axis=1) <= V3_BEARS
    user.load.plan = replace(
        user.load.plan, images=Images(everything.pixels[light], everything.digits[light])
    )
    user.serves("v1")
    user.starts_load(CROWD)
    with user.serves_many() as blamed:
        user.asks_for(
            "v3",
            rollout__canary__steps=[{"weight": 25, "minSeconds": 2}],
            rollout__canary__bakeSeconds=600,
        )
        baking = user.sees("the bake", lambda seen: _state(seen) is State.BAKING)
        stable, bad = baking.stable, baking.target
        blamed.add(bad)
        assert user.errors() == []
        inky = Load(
            replace(
                user.load.plan,
                images=everything,
                records=user.records_file.with_name("inky.jsonl"),
                rate=50.0,
            )
        )
        inky.start()
        back = user.sees("the way back", lambda seen: _state(seen) is State.ABORT_DRAINING)
        over = user.sees("the end", lambda seen: seen.settled)
    inky.stop()
    assert (stable, [Outcome.ABORTED]) == (over.stable, user.outcomes())
    asked = inky.journal.records
    assert {one.revision for one in asked if one.outcome is not Answer.OK} == {bad}
    assert {one.revision for one in asked if one.at > back.at} == {stable}


def _state(seen: Snapshot) -> State | None:
    return seen.status.rollout.state if seen.status.rollout else None
