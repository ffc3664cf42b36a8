"""What the administrator decides about queries: which users may write, and which series count."""

from dataclasses import dataclass
from enum import StrEnum

Matchers = tuple[tuple[str, str], ...]
"""Values by label name; a tuple, so that it can be compared and hashed."""


class CustomQueryScope(StrEnum):
    """Which series the queries of ModelDeployments may read."""

    OFF = "Off"
    """None: such queries are rejected."""
    NAMESPACED = "Namespaced"
    """Those of the ModelDeployment's own namespace."""
    FULL = "Full"
    """All that the operator's credentials can read."""


@dataclass(frozen=True, slots=True)
class QueryPolicy:
    """The settings that queries depend on; the defaults are those of the operator."""

    custom: CustomQueryScope = CustomQueryScope.NAMESPACED
    matchers: Matchers = ()
    """Added to every selector, except with `Full` to those of users' queries."""
    router_matchers: Matchers = ()
    """Added to the selectors of the router's series."""


NAMESPACED_ONLY = QueryPolicy()
"""The defaults."""
