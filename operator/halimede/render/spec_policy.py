"""What the administrator of the operator allows in specs, beyond the schema."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class PodTemplatePolicy(StrEnum):
    """What `podTemplate` may change."""

    FULL = "Full"
    """Everything that a pod template has."""
    RESTRICTED = "Restricted"
    """What gives the pod no further rights: see `validation.restricted_template`."""
    NONE = "None"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class SpecPolicy:
    """The settings that validation depends on; the defaults are those of the operator."""

    pod_template: PodTemplatePolicy = PodTemplatePolicy.RESTRICTED
    ingress_annotations: tuple[str, ...] = ()
    """Names of annotations that Ingresses may have besides the harmless ones; see `is_listed`."""
    service_accounts: tuple[str, ...] = ()
    """Names of ServiceAccounts that specs may name besides `default`; see `is_listed`."""


DEFAULT_POLICY = SpecPolicy()
"""The defaults."""


def is_listed(name: str, entries: Iterable[str]) -> bool:
    """Whether a name is among *entries*; one with `*` at its end stands for all names like it.

    >>> is_listed("team-a", ["team-*"]), is_listed("team", ["team-*"]), is_listed("a", ["*"])
    (True, False, True)
    """
    return any(
        name.startswith(entry[:-1]) if entry.endswith("*") else name == entry for entry in entries
    )
