"""Wait for what another process does, never for a time; a wait that gives up shows what it saw."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pprint import pformat
from typing import TypeVar

Seen = TypeVar("Seen")

WITHIN = 60.0
"""Seconds until what does not come counts as missing."""

LOOK_EVERY = 0.1
LONGEST = 4000
"""Characters of what was seen last that are shown at most."""


def wait_until(
    look: Callable[[], Seen],
    accept: Callable[[Seen], object] = bool,
    *,
    within: float = WITHIN,
    explain: Callable[[], str] = str,
) -> Seen:
    """Look again and again, and return the first sight that is accepted.

    After ``within`` seconds it fails with the last sight and with what ``explain`` returns.
    """
    deadline = time.monotonic() + within
    while not accept(sight := look()):
        if time.monotonic() > deadline:
            raise _failure(sight, within, explain)
        threading.Event().wait(LOOK_EVERY)
    return sight


async def wait_until_async(
    look: Callable[[], Awaitable[Seen]],
    accept: Callable[[Seen], object] = bool,
    *,
    within: float = WITHIN,
    explain: Callable[[], str] = str,
) -> Seen:
    """Do as `wait_until` does, with a coroutine that looks."""
    sight: Seen | str = "nothing: the first look did not end"
    try:
        async with asyncio.timeout(within):
            while not accept(found := await look()):
                sight = found
                await asyncio.sleep(LOOK_EVERY)
            return found
    except TimeoutError as error:
        raise _failure(sight, within, explain) from error


def _failure(sight: object, within: float, explain: Callable[[], str]) -> AssertionError:
    lines = [f"not within {within:g} s; last seen:", pformat(sight)[:LONGEST], explain()]
    return AssertionError("\n".join(filter(None, lines)))
