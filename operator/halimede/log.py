"""Logging: one line per event, as JSON for machines or as text for people."""

import asyncio
import json
import logging
import sys
from typing import Any, Literal

from typing_extensions import override

from halimede.api.base import rfc3339

LogFormat = Literal["json", "text"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_log = logging.getLogger(__name__)

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET = ("aiohttp.access", "kopf", "kubernetes", "urllib3")


class JsonFormatter(logging.Formatter):
    """Write a record as one JSON object; what was passed as `extra` becomes fields of it."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": rfc3339(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Write a record for people: time, level, message, and what was passed as `extra`."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and a traceback under it if there is one."""
        extras = "".join(f" {name}={_in_text(value)}" for name, value in _extras(record).items())
        line = f"{rfc3339(record.created)} {record.levelname:<7} {record.getMessage()}{extras}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


def set_up(log_format: LogFormat, level: LogLevel) -> None:
    """Send everything that is logged in this process to stderr; libraries only their warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def log_loop_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what went wrong outside of every task, as an event loop's exception handler.

    A watch of kopf's that the end of the process finds open may fail to close: nothing is lost by
    that, and nobody can do anything about it.
    """
    if "asyncgen" in context:
        _log.debug("Left open: %s", context["message"])
    else:
        loop.default_exception_handler(context)


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _PLAIN}


def _in_text(value: object) -> str:
    """Write a field's value so that its end can be seen.

    >>> _in_text(["apply Service/digits", "create Event/Aborted"])
    '"apply Service/digits, create Event/Aborted"'
    """
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text else text
