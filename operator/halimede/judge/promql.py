"""Render PromQL safely against injection: every value in a template is written as a literal."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


class Regex(str):
    """A regular expression whose literal parts are already escaped."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A query template, and the values of its variables."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)


def any_of(names: Iterable[object]) -> Regex:
    r"""Return a regular expression that matches any of the names; only a `Regex` is not escaped.

    >>> any_of(["a.b", Regex("c+")])
    'a\\.b|c+'
    """
    return Regex(
        "|".join(name if isinstance(name, Regex) else re.escape(str(name)) for name in names)
    )


def literal(value: object) -> str:
    """Format a value as PromQL: text as a quoted string, a number of seconds as a duration."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return f"{ceil(value)}s"
    raise TypeError(f"PromQL has no literal for {type(value).__name__}")


_TEMPLATES = Environment(
    loader=PackageLoader("halimede.judge"),
    undefined=StrictUndefined,
    finalize=literal,
    autoescape=select_autoescape(),  # never HTML here: `finalize` does the quoting
)
_TEMPLATES.filters["any_of"] = any_of


def render(question: Query, window: float) -> str:
    """Render a query over the last *window* seconds as PromQL."""
    template = _TEMPLATES.get_template(f"{question.template}.promql.j2")
    return template.render(**question.values, window=window)
