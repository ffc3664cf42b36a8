"""Templates of PromQL that a user writes.

A template is text with placeholders and nothing else: no statement, no filter, no expression, so
that rendering needs very little time and memory. The values are plain names.
"""

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, TemplateError, nodes, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

PLACEHOLDERS = frozenset({"namespace", "name", "revision", "service", "model", "window"})
REVISION_PLACEHOLDERS = frozenset({"revision", "service"})
"""A query without either of these returns the same for both revisions."""
_ALLOWED = (nodes.Output, nodes.TemplateData, nodes.Name)
_SANDBOX = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=select_autoescape(default_for_string=False),  # PromQL, not HTML
)


class UnusableQueryError(Exception):
    """A query or its result cannot be used; `cure` is what to do about it."""

    def __init__(self, message: str, cure: str) -> None:
        """Store the remedy separately from the message."""
        super().__init__(message)
        self.cure = cure


def validate(text: str) -> None:
    """Check that a template can be rendered and depends on the revision and the window.

    Raises:
        UnusableQueryError: It cannot be rendered, or does not depend on them.
    """
    if fault := _fault(text):
        raise UnusableQueryError(*fault)


@lru_cache(maxsize=512)
def _fault(text: str) -> tuple[str, str] | None:
    """Return what is wrong and what to do; cached, as most reconciles check the same texts."""
    try:
        parsed = _SANDBOX.parse(text)
    except (TemplateError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        return f"the template cannot be read ({reason})", "write placeholders as {{ revision }}"
    placeholders = {node.name for node in parsed.find_all(nodes.Name)}
    allowed = ", ".join(sorted(PLACEHOLDERS))
    if any(not isinstance(node, _ALLOWED) for node in parsed.find_all(nodes.Node)):
        return (
            "the template contains more than text and placeholders",
            f"use {{{{ }}}} only with one of {allowed} inside",
        )
    if unknown := placeholders - PLACEHOLDERS:
        return (
            f"the template uses {', '.join(sorted(unknown))}, which has no value",
            f"use {allowed}",
        )
    if not placeholders & REVISION_PLACEHOLDERS:
        return (
            "the query returns the same for both revisions",
            'select one revision, for example with service="{{ service }}"',
        )
    if "window" not in placeholders:
        return "the query does not state its time range", "use increase(...[{{ window }}])"
    return None


def render(text: str, values: Mapping[str, str]) -> str:
    """Render a template; *values* has a value for each of `PLACEHOLDERS`.

    Raises:
        UnusableQueryError: As for `validate`.
    """
    validate(text)
    return _SANDBOX.from_string(text).render(values)
