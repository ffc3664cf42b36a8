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

_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET_LOGGERS = ("aiohttp.access", "kopf", "kubernetes", "urllib3")


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; what was passed as `extra` becomes fields of it."""

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
    """Formats a record for people: time, level, message, and what was passed as `extra`."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and a traceback under it if there is one."""
        extras = "".join(f" {name}={_as_text(value)}" for name, value in _extras(record).items())
        line = f"{rfc3339(record.created)} {record.levelname:<7} {record.getMessage()}{extras}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


def set_up(log_format: LogFormat, level: LogLevel) -> None:
    """Log to stderr, from libraries only warnings and errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def log_loop_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error raised outside of any task; an event loop's exception handler.

    A watch of kopf's that is still open when the process ends may fail to close. Nothing is lost
    then and no action is possible, so that is logged at DEBUG.
    """
    if "asyncgen" in context:
        _log.debug("An asynchronous generator was not closed: %s", context["message"])
    else:
        loop.default_exception_handler(context)


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}


def _as_text(value: object) -> str:
    """Format a field's value, in quotes if it contains a space.

    >>> _as_text(["apply Service/digits", "create Event/Aborted"])
    '"apply Service/digits, create Event/Aborted"'
    """
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text else text
