"""A ModelDeployment that is being deleted gives the user's routes back before it goes.

It needs neither metrics nor a revision that works, nor a spec that can still be read.
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
"""After so long the object goes, whether its routes were given back or not."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """A ModelDeployment that is being deleted, as far as it matters then."""

    metadata: Metadata
    status: Status
    settle_seconds: float


def pending_deletion(manifest: Manifest) -> Deletion | None:
    """Read an object that is being deleted and waits for us; None: it does not."""
    metadata = Metadata.model_validate(manifest["metadata"])
    if metadata.deletion_timestamp is None or ROUTE_FINALIZER not in metadata.finalizers:
        return None
    try:
        status = Status.model_validate(manifest.get("status") or {})
    except ValidationError:
        status = Status()
    rollout = (manifest.get("spec") or {}).get("rollout") or {}
    given = (rollout.get("analysis") or {}).get("settleSeconds")
    settle = given if isinstance(given, int) else Analysis().settle_seconds
    return Deletion(metadata, status, settle)


def plan_deletion(gone: Deletion, routes: Routes, now: float) -> Plan:
    """Decide what one pass does about an object that is being deleted."""
    status, since = gone.status, gone.metadata.deletion_timestamp or now
    back = plan_restore(gone.metadata.name, status.user_routes, routes, gone.settle_seconds, now)
    late = now - since >= FINALIZE_TIMEOUT_SECONDS
    after = status.evolve(user_routes=back.routes)
    waits = [
        wait
        for wait in (back.requeue_after, since + FINALIZE_TIMEOUT_SECONDS - now)
        if wait is not None
    ]
    return Plan(
        status=None if after == status else after,
        applies=(),
        deletes=(),
        events=_abandoned(gone, after) if late and back.patches else (),
        requeue_after=None if late or not back.routes else max(0.0, min(waits)),
        patches=back.patches,
        finalizer=False if late or not back.routes else None,
    )


def _abandoned(gone: Deletion, after: Status) -> tuple[Event, ...]:
    names = ", ".join(one.name for one in after.user_routes)
    return (
        warning(
            EventReason.ROUTE_NOT_RETURNED,
            f"HTTPRoute {names} could not be given back within"
            f" {FINALIZE_TIMEOUT_SECONDS:.0f} s and still names Services that are deleted now."
            " Its own backends stand in its annotation"
            f" {annotation(gone.metadata.name)}.",
        ),
    )
