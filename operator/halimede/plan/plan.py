"""What one pass wants done, as plain data."""

from dataclasses import dataclass

from halimede.api.base import Manifest
from halimede.api.conditions import ConditionType
from halimede.api.status import Status
from halimede.rollout.events import Event, EventType

__all__ = ["Event", "EventType", "ObjectRef", "Plan", "RoutePatch", "describe_transition"]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object to delete; the uid keeps a namesake that is made meanwhile alive."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class RoutePatch:
    """A JSON patch of a HTTPRoute that belongs to the user, good for one version of it only."""

    name: str
    operations: tuple[Manifest, ...]


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
    requeue_after: float | None
    """Seconds until the next look; None: only when something changes or at the resync."""
    handovers: tuple[Manifest, ...] = ()
    """Applied before `applies`, with the field manager `halimede-replicas`: each says the live
    replicas of a Deployment that `applies` will say nothing about any more. Without a second
    owner of the field, the API server would set it back to its default, which is 1."""
    patches: tuple[RoutePatch, ...] = ()
    """Carried out after `applies`, for they name what is applied there."""
    finalizer: bool | None = None
    """Whether the object's finalizer is put on or taken off, at the end; None: neither."""


def describe_transition(before: Status, after: Status | None) -> str | None:
    """Describe how a pass changes the rollout and the reason of Ready; None: it does not.

    Args:
        before: The status that was observed.
        after: The status of the plan.
    """
    if after is None or (old := _describe(before)) == (new := _describe(after)):
        return None
    return f"{old} -> {new}"


def _describe(status: Status) -> str:
    ready = [one.reason for one in status.conditions if one.type is ConditionType.READY]
    rollout = status.rollout
    if rollout is None:
        return " ".join(["Idle", *(f"({reason})" for reason in ready)])
    step = [f"step {rollout.progress}"] if rollout.steps else []
    parts = [rollout.state, rollout.revision, *step, f"weight {rollout.weight} %"]
    return " ".join([*parts, *(f"({reason})" for reason in ready)])
