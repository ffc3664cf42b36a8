"""Events: what users should see in `kubectl describe`, as plain data."""

from dataclasses import dataclass
from enum import StrEnum

from halimede.api.reasons import EventReason, NotReadyReason, Reason


class EventType(StrEnum):
    """The two types of Kubernetes Events."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that users should see in `kubectl describe`."""

    type: EventType
    reason: EventReason | Reason | NotReadyReason
    message: str


def normal(reason: EventReason | Reason | NotReadyReason, message: str) -> Event:
    """Create an Event of type Normal."""
    return Event(EventType.NORMAL, reason, message)


def warning(reason: EventReason | Reason | NotReadyReason, message: str) -> Event:
    """Create an Event of type Warning."""
    return Event(EventType.WARNING, reason, message)


def join_sentences(*parts: str) -> str:
    """Join the parts that are not empty, each with a full stop at its end.

    >>> join_sentences("exit code 1", "", "Change the spec.")
    'exit code 1. Change the spec.'
    """
    sentences = [part.strip() for part in parts if part.strip()]
    return " ".join(part if part[-1] in ".!?…" else f"{part}." for part in sentences)
