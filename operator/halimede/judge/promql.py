"""Write PromQL safely against injection: every value is written as a literal."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple


class Regex(NamedTuple):
    """A regular expression whose literal parts are already escaped."""

    pattern: str
    word: str = ""
    """Letters and digits that are a whole word of everything that the pattern matches; "": there
    is no such word."""


Alternatives = tuple[str | Regex, ...]
"""Values of a label, or patterns of values."""


@dataclass(frozen=True, slots=True)
class Query:
    """A selector of counters; with a window it is a query."""

    matchers: Mapping[str, Alternatives]
    """By label, what the value must be; the label "__name__" is the counter's name."""
    excluded: Mapping[str, str] = field(default_factory=dict)
    """By label, what the value must not be."""
    counted_by: tuple[str, str] | None = None
    """If set, the query has no window, and its answer is only the values of the first label, once
    each. The second label tells what belongs to which ModelDeployment."""


def escape(name: str) -> str:
    r"""Return a regular expression that matches only *name*.

    >>> escape("a.b-c")
    'a\\.b-c'
    """
    return re.escape(name).replace(r"\-", "-")  # special only in brackets; queries are in URLs


def any_of(names: Iterable[str | Regex]) -> str:
    r"""Return a regular expression that matches any of the names; only a `Regex` is not escaped.

    >>> any_of(["a.b", Regex("c+")])
    'a\\.b|c+'
    """
    return "|".join(name.pattern if isinstance(name, Regex) else escape(name) for name in names)


def literal(value: object) -> str:
    """Format a value as PromQL: text as a quoted string, a number of seconds as a duration."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return f"{ceil(value)}s"
    raise TypeError(f"PromQL has no literal for {type(value).__name__}")


def render(query: Query, window: float) -> str:
    """Render a query over the last *window* seconds as PromQL."""
    matchers = [
        *(_matcher(label, values) for label, values in query.matchers.items()),
        *(f"{label}!={literal(value)}" for label, value in query.excluded.items()),
    ]
    selector = f"{{{', '.join(matchers)}}}"
    if query.counted_by is None:
        return f"{selector}[{literal(window)}]"
    return f"count by ({', '.join(query.counted_by)}) ({selector})"


def _matcher(label: str, values: Alternatives) -> str:
    if len(values) == 1 and isinstance(values[0], str):
        return f"{label}={literal(values[0])}"
    return f"{label}=~{literal(any_of(values))}"
