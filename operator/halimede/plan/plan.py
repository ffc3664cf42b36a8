"""The plan of one reconcile, as plain data."""

from dataclasses import dataclass

from halimede.api.base import Manifest
from halimede.api.conditions import ConditionType
from halimede.api.status import Status
from halimede.plan.foreign import ChildKey
from halimede.rollout.events import Event, EventType

__all__ = ["Event", "EventType", "ObjectRef", "Plan", "RoutePatch", "describe_transition"]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """An object to delete; the uid protects a new object of the same name."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class RoutePatch:
    """A JSON patch of an HTTPRoute that belongs to the user; it applies to one version only."""

    name: str
    operations: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The writes of one reconcile. The status is written first, everything else after it."""

    status: Status | None
    """The new status, or None if it has not changed."""
    applies: tuple[Manifest, ...]
    """Children to write, without those that are up to date. One with `metadata.uid` is applied
    server-side to the object with that uid, any other is created. `write_order.waves` has the
    order."""
    deletes: tuple[ObjectRef, ...]
    """Children that are no longer desired."""
    events: tuple[Event, ...]
    """Events to create after all other writes."""
    requeue_after: float | None
    """Seconds until the next reconcile; None: on the next change or resync."""
    handovers: tuple[Manifest, ...] = ()
    """Applied before `applies`, with the field manager `halimede-replicas`: each contains the uid
    and the live replicas of a Deployment whose replicas `applies` no longer sets. Without a second
    owner, the API server would reset the field to its default, which is 1."""
    patches: tuple[RoutePatch, ...] = ()
    """Patches to send after `applies`, because they refer to objects that are applied there."""
    finalizer: bool | None = None
    """Whether to add (True) or remove (False) the finalizer, at the end; None: neither."""
    taken: frozenset[ChildKey] = frozenset()
    """Desired children that are missing because foreign objects have their names."""


def describe_transition(before: Status, after: Status | None) -> str | None:
    """Describe how a reconcile changes the rollout and the reason of Ready; None: it does not.

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
