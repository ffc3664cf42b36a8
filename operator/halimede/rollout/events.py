"""Events: what users should see in `kubectl describe`, as plain data."""

from dataclasses import dataclass
from enum import StrEnum


class EventType(StrEnum):
    """The two types of Kubernetes Events."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that users should see in `kubectl describe`."""

    type: EventType
    reason: str
    message: str


def normal(reason: str, message: str) -> Event:
    """Tell that something went as planned."""
    return Event(EventType.NORMAL, reason, message)


def warning(reason: str, message: str) -> Event:
    """Tell that something deserves attention."""
    return Event(EventType.WARNING, reason, message)
