"""Waits for conditions in other processes; on timeout the error shows the last value."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pprint import pformat
from typing import TypeVar

Value = TypeVar("Value")

WITHIN = 300.0
"""Default timeout in seconds: long, as machines are loaded and only failing tests reach it."""

POLL_INTERVAL = 0.1
LONGEST = 4000
"""Maximum characters of the last value in an error."""


def wait_until(
    read: Callable[[], Value],
    accept: Callable[[Value], object] = bool,
    *,
    within: float = WITHIN,
    explain: Callable[[], str] = str,
) -> Value:
    """Poll `read` and return its first accepted value.

    After ``within`` seconds it fails with the last value and the text of ``explain``.
    """
    deadline = time.monotonic() + within
    while not accept(value := read()):
        if time.monotonic() > deadline:
            raise _failure(value, within, explain)
        threading.Event().wait(POLL_INTERVAL)
    return value


async def wait_until_async(
    read: Callable[[], Awaitable[Value]],
    accept: Callable[[Value], object] = bool,
    *,
    within: float = WITHIN,
    explain: Callable[[], str] = str,
) -> Value:
    """Do the same as `wait_until` with a coroutine."""
    last: Value | str = "nothing: the first read did not end"
    try:
        async with asyncio.timeout(within):
            while not accept(value := await read()):
                last = value
                await asyncio.sleep(POLL_INTERVAL)
            return value
    except TimeoutError as error:
        raise _failure(last, within, explain) from error


def _failure(value: object, within: float, explain: Callable[[], str]) -> AssertionError:
    lines = [f"not within {within:g} s; last seen:", pformat(value)[:LONGEST], explain()]
    return AssertionError("\n".join(filter(None, lines)))
