"""Conditions: their types, their reasons, and the rule for transition times."""

from enum import StrEnum

from halimede.api.base import ApiModel, Timestamp


class ConditionType(StrEnum):
    """The conditions that Halimede sets. The abnormal-true ones are absent when false."""

    READY = "Ready"
    """The desired spec is fully live."""
    AVAILABLE = "Available"
    """Some revision serves."""
    RECONCILING = "Reconciling"
    """Work is under way (abnormal-true, as kstatus reads it)."""
    STALLED = "Stalled"
    """Nothing will improve without somebody's help (abnormal-true)."""


class Condition(ApiModel):
    """One condition, shaped as `metav1.Condition`."""

    type: ConditionType
    status: str
    """True, False or Unknown."""
    reason: str
    message: str
    observed_generation: int
    last_transition_time: Timestamp
