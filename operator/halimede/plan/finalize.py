"""Plan the deletion of a ModelDeployment: restore the user's routes, then remove the finalizer.

This works without metrics, without a working revision, and with a spec that cannot be read.
"""

from dataclasses import dataclass

from pydantic import ValidationError

from halimede.api.analysis import Analysis
from halimede.api.base import Manifest
from halimede.api.reasons import EventReason
from halimede.api.status import Status
from halimede.api.v1alpha1 import ROUTE_FINALIZER, Metadata
from halimede.plan.plan import Event, Plan
from halimede.plan.user_routes import Routes, plan_restore
from halimede.render.user_route import annotation
from halimede.rollout.events import warning

FINALIZE_TIMEOUT_SECONDS = 300.0
"""Seconds after which the finalizer is removed even if routes could not be restored."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """The parts of a ModelDeployment that its deletion depends on."""

    metadata: Metadata
    status: Status
    settle_seconds: float


def pending_deletion(manifest: Manifest) -> Deletion | None:
    """Read an object if it is being deleted and has our finalizer; otherwise return None."""
    metadata = Metadata.model_validate(manifest["metadata"])
    if metadata.deletion_timestamp is None or ROUTE_FINALIZER not in metadata.finalizers:
        return None
    try:
        status = Status.model_validate(manifest.get("status") or {})
    except ValidationError:
        status = Status()
    rollout = (manifest.get("spec") or {}).get("rollout") or {}
    configured = (rollout.get("analysis") or {}).get("settleSeconds")
    settle = configured if isinstance(configured, int) else Analysis().settle_seconds
    return Deletion(metadata, status, settle)


def plan_deletion(gone: Deletion, routes: Routes, now: float) -> Plan:
    """Plan one reconcile of an object that is being deleted."""
    status, since = gone.status, gone.metadata.deletion_timestamp or now
    restore = plan_restore(
        gone.metadata.name, status.user_routes, routes, gone.settle_seconds, now
    )
    late = now - since >= FINALIZE_TIMEOUT_SECONDS
    after = status.evolve(user_routes=restore.routes)
    waits = [
        wait
        for wait in (restore.requeue_after, since + FINALIZE_TIMEOUT_SECONDS - now)
        if wait is not None
    ]
    return Plan(
        status=None if after == status else after,
        applies=(),
        deletes=(),
        events=_abandoned_routes(gone, after) if late and restore.patches else (),
        requeue_after=None if late or not restore.routes else max(0.0, min(waits)),
        patches=restore.patches,
        finalizer=False if late or not restore.routes else None,
    )


def finalizer_patch(metadata: Manifest, *, present: bool) -> tuple[Manifest, ...]:
    """Return the JSON patch that adds our finalizer to this version of an object, or removes it.

    Args:
        metadata: The metadata of the object.
        present: Whether the object is to have the finalizer.
    """
    others = [one for one in metadata.get("finalizers") or () if one != ROUTE_FINALIZER]
    return (
        {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {
            "op": "add",
            "path": "/metadata/finalizers",
            "value": [*others, ROUTE_FINALIZER] if present else others,
        },
    )


def _abandoned_routes(deletion: Deletion, after: Status) -> tuple[Event, ...]:
    names = ", ".join(route.name for route in after.user_routes)
    return (
        warning(
            EventReason.ROUTE_NOT_RETURNED,
            f"HTTPRoute {names} could not be restored within {FINALIZE_TIMEOUT_SECONDS:.0f} s"
            " and still refers to Services that are now deleted. Its original backends are in"
            f" its annotation {annotation(deletion.metadata.name)}.",
        ),
    )
