"""Log lines."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator

import pytest

from halimede.log import JsonFormatter, TextFormatter, log_loop_exception


def _record(message: str, **extra: object) -> logging.LogRecord:
    record = logging.makeLogRecord({"name": "halimede.x", "levelname": "INFO", "msg": message})
    record.created = 0.5
    vars(record).update(extra)
    return record


def test_json_lines_carry_what_was_passed_along() -> None:
    """Each record is one JSON object, `extra` included."""
    line = json.loads(JsonFormatter().format(_record("Hello", key="ns/digits")))
    assert line == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "INFO",
        "logger": "halimede.x",
        "message": "Hello",
        "key": "ns/digits",
    }


def test_text_lines_read_well() -> None:
    """Time, level, message, and `extra` at the end."""
    line = TextFormatter().format(_record("Hello", key="ns/digits"))
    assert line == "1970-01-01T00:00:00.500Z INFO    Hello key=ns/digits"


def test_tracebacks_are_kept() -> None:
    """A log line keeps its traceback."""
    try:
        int("boom")
    except ValueError:
        record = _record("Oh", exc_info=sys.exc_info())
    assert "ValueError: invalid literal" in json.loads(JsonFormatter().format(record))["exception"]
    assert "ValueError: invalid literal" in TextFormatter().format(record)


def test_what_is_found_open_at_the_end_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Given a watch that fails when the loop closes, only other errors are logged."""

    async def stubborn() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise RuntimeError("generator didn't stop after athrow()")

    watch = stubborn()

    async def reconcile() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_loop_exception)
        assert await anext(watch) == 1
        loop.call_exception_handler({"message": "a task was lost"})

    asyncio.run(reconcile())
    assert [one.message for one in caplog.records] == ["a task was lost"]
