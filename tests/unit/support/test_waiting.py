"""The tests' waits: on timeout the error shows the last value."""

import pytest

from tests.support.waiting import wait_until, wait_until_async


def test_a_sight_that_is_accepted_is_returned() -> None:
    """Values that are not accepted are skipped."""
    sights = iter([1, 2, 3])
    assert wait_until(lambda: next(sights), lambda sight: sight == 3) == 3


def test_a_wait_that_gives_up_shows_the_last_sight_and_the_explanation() -> None:
    """The error has the last value and the explanation, a line each."""
    with pytest.raises(AssertionError) as caught:
        wait_until(lambda: {"ready": 0}, lambda _: False, within=0.0, explain=lambda: "the log")
    assert str(caught.value) == "not within 0 s; last seen:\n{'ready': 0}\nthe log"


async def test_a_coroutine_that_never_ends_times_out() -> None:
    """A coroutine that never returns is cancelled after the timeout."""

    async def read() -> int:
        return await wait_until_async(endless, within=60.0)

    async def endless() -> int:
        return 0

    with pytest.raises(AssertionError, match="the first read did not end"):
        await wait_until_async(read, within=0.01)
