"""Templates of PromQL that a user writes.

A template is text with placeholders and nothing else: no statement, no filter, no expression, so
that it takes no time and no room to speak of. What is filled in is plain names.
"""

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, TemplateError, nodes, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

PLACEHOLDERS = frozenset({"namespace", "name", "revision", "service", "model", "window"})
REVISION_PLACEHOLDERS = frozenset({"revision", "service"})
"""A query without either of these says the same of both revisions."""
_ALLOWED = (nodes.Output, nodes.TemplateData, nodes.Name)
_SANDBOX = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=select_autoescape(default_for_string=False),  # PromQL, not HTML
)


class UnusableQueryError(Exception):
    """A query or its answer cannot be used; the message says why, `cure` what to do."""

    def __init__(self, message: str, cure: str) -> None:
        """Keep the cure apart."""
        super().__init__(message)
        self.cure = cure


def validate(text: str) -> None:
    """Make sure that a template can be filled in and tells revisions and times apart.

    Raises:
        UnusableQueryError: It cannot or does not.
    """
    if fault := _fault(text):
        raise UnusableQueryError(*fault)


@lru_cache(maxsize=512)
def _fault(text: str) -> tuple[str, str] | None:
    """Say what is wrong and what to do; every pass asks, and most ask about the same text."""
    try:
        parsed = _SANDBOX.parse(text)
    except (TemplateError, RecursionError) as error:
        said = str(error) or type(error).__name__
        return f"the template cannot be read ({said})", "write placeholders as {{ revision }}"
    found = {node.name for node in parsed.find_all(nodes.Name)}
    known = ", ".join(sorted(PLACEHOLDERS))
    if any(not isinstance(node, _ALLOWED) for node in parsed.find_all(nodes.Node)):
        return (
            "the template holds more than text and placeholders",
            f"use {{{{ }}}} with nothing but one of {known} within",
        )
    if unknown := found - PLACEHOLDERS:
        return f"the template has no value for {', '.join(sorted(unknown))}", f"use {known}"
    if not found & REVISION_PLACEHOLDERS:
        return (
            "the query says the same of both revisions",
            'select by one, such as service="{{ service }}"',
        )
    if "window" not in found:
        return "the query does not say of which time", "end it in increase(...[{{ window }}])"
    return None


def render(text: str, values: Mapping[str, str]) -> str:
    """Fill a template in, whose values are `PLACEHOLDERS`.

    Raises:
        UnusableQueryError: `check` would have said so.
    """
    validate(text)
    return _SANDBOX.from_string(text).render(values)
