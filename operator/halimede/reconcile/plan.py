"""What one pass wants done, as plain data."""

from dataclasses import dataclass
from enum import StrEnum

from halimede.api.base import Manifest
from halimede.api.status import Status


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


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object to delete; the uid keeps a namesake that is made meanwhile alive."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome of one decision. The status is written first; only then the rest is done."""

    status: Status | None
    """The new status, or None if it has not changed."""
    applies: tuple[Manifest, ...]
    """Children to apply server-side, in this order. Those that are live as wanted are not here."""
    deletes: tuple[ObjectRef, ...]
    """Children that are not wanted any more."""
    events: tuple[Event, ...]
    """Events to post after the rest."""
    again: float | None
    """Seconds until the next look; None: only when something changes or at the resync."""
