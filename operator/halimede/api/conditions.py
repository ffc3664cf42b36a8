"""The types and the structure of conditions."""

from enum import StrEnum
from typing import Literal

from halimede.api.base import ApiModel, Timestamp


class ConditionType(StrEnum):
    """The conditions that Halimede sets. The abnormal-true ones are absent when false."""

    READY = "Ready"
    """The desired spec is fully live."""
    AVAILABLE = "Available"
    """Some revision serves."""
    RECONCILING = "Reconciling"
    """A change is in progress (abnormal-true, as in kstatus)."""
    STALLED = "Stalled"
    """No progress is possible without a user's action (abnormal-true)."""
    VULNERABLE = "Vulnerable"
    """The spec accepts a version of Triton with known vulnerabilities (abnormal-true)."""


ConditionStatus = Literal["True", "False", "Unknown"]
"""The values of `metav1.ConditionStatus`."""


class Condition(ApiModel):
    """One condition, shaped as `metav1.Condition`."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    """Why, in one CamelCase word that scripts may match."""
    message: str
    """Why, in a sentence for people."""
    observed_generation: int
    """The generation of the spec that the condition was computed for."""
    last_transition_time: Timestamp
    """When the status changed last."""
