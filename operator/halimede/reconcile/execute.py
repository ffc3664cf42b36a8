"""Execute a plan: write the status first, then make the changes that it announces."""

import asyncio
import logging
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from halimede import telemetry
from halimede.adapters.cluster import Cluster
from halimede.adapters.errors import ConflictError, NamespaceTerminatingError, OperatorError
from halimede.adapters.kinds import BY_NAME, HTTP_ROUTE, INGRESS, MODEL_DEPLOYMENT
from halimede.adapters.store import Key, Store
from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP, ROUTE_FINALIZER
from halimede.plan.plan import Event, ObjectRef, Plan, RoutePatch
from halimede.reconcile.observe import Readers
from halimede.reconcile.references import ReferencedObjects
from halimede.render.names import MANAGER

log = logging.getLogger(__name__)

_ROUTES = (HTTP_ROUTE.name, INGRESS.name)
"""Kinds that reference others: applied last, so that what they reference always exists."""
HANDOVER = f"{MANAGER}-replicas"
"""The field manager that owns a Deployment's replicas while we give up that field."""
_NOTE_LENGTH = 1024
"""Longest `note` of an Event (`events.k8s.io/v1`)."""


@dataclass(slots=True)
class Outcome:
    """The results of the writes of one plan."""

    writes: list[str] = field(default_factory=list)
    """The writes that succeeded, as `verb Kind/name`; an Event has its reason as the name."""
    failed: dict[str, OperatorError] = field(default_factory=dict)
    """The errors of writes that failed, by `Kind/name`."""
    conflict: ConflictError | None = None
    """The error of the last write whose object had changed since it was observed."""

    def succeed(self, verb: str, kind: str, name: str) -> None:
        """Record a write that succeeded, here and in the operator's metrics."""
        telemetry.WRITES.labels(verb, kind).inc()
        self.writes.append(f"{verb} {kind}/{name}")

    def fail(self, error: OperatorError, kind: str, name: str) -> None:
        """Record a write that failed, unless its namespace is being deleted."""
        if isinstance(error, NamespaceTerminatingError):
            return
        telemetry.ERRORS.labels(type(error).__name__).inc()
        self.failed[f"{kind}/{name}"] = error


async def execute_plan(
    plan: Plan, deployment: Manifest, cluster: Cluster, senses: Readers, now: float
) -> Outcome:
    """Execute *plan*; return which writes succeeded and which failed.

    The status is written first, for the version that was observed: if another client has changed
    the object since, nothing else is written. All later writes can be repeated, and one that fails
    does not prevent the others.

    Raises:
        ConflictError: The ModelDeployment has changed since it was observed; nothing was done.
        OperatorError: The status could not be written; nothing else was done.
    """
    store, outcome = senses.store, Outcome()
    key = Key(deployment["metadata"]["namespace"], deployment["metadata"]["name"])
    if plan.status is not None:
        written = await cluster.write_status(deployment, plan.status.to_manifest())
        outcome.succeed("status", MODEL_DEPLOYMENT.name, key.name)
        store.put(MODEL_DEPLOYMENT, written)
        deployment = deployment | {"metadata": written["metadata"]}
    await asyncio.gather(
        *(_apply(handover, cluster, senses, outcome, HANDOVER) for handover in plan.handovers)
    )
    for wave in _waves(plan.applies):
        await asyncio.gather(*(_apply(manifest, cluster, senses, outcome) for manifest in wave))
    await _patch_routes(plan.patches, key.namespace, cluster, senses.routes, outcome)
    await asyncio.gather(*(_delete(ref, key, cluster, store, outcome) for ref in plan.deletes))
    for number, event in enumerate(plan.events):
        await _post(event_manifest(event, deployment, now + number * 1e-6), cluster, outcome)
    if plan.finalizer is not None and outcome.conflict is None:
        await _set_finalizer(deployment, cluster, store, outcome, present=plan.finalizer)
    return outcome


def event_manifest(event: Event, deployment: Manifest, now: float) -> Manifest:
    """Return *event* about *deployment* as an `events.k8s.io/v1` Event.

    The name has client-go's format: the object's name, and the time in hexadecimal.
    """
    metadata = deployment["metadata"]
    moment = datetime.fromtimestamp(now, tz=UTC).isoformat(timespec="microseconds")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata['name']}.{int(now * 1e9):x}",
            "namespace": metadata["namespace"],
        },
        "eventTime": moment.replace("+00:00", "Z"),
        "reportingController": f"{GROUP}/operator",
        "reportingInstance": f"halimede-{platform.node()}"[:128],
        "action": "Reconcile",
        "type": str(event.type),
        "reason": event.reason,
        "note": event.message.encode()[:_NOTE_LENGTH].decode(errors="ignore"),
        "regarding": {
            "apiVersion": deployment["apiVersion"],
            "kind": deployment["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
    }


def _waves(applies: Iterable[Manifest]) -> tuple[list[Manifest], list[Manifest]]:
    routes = [manifest for manifest in applies if manifest["kind"] in _ROUTES]
    return [manifest for manifest in applies if manifest["kind"] not in _ROUTES], routes


async def _apply(
    manifest: Manifest,
    cluster: Cluster,
    senses: Readers,
    outcome: Outcome,
    manager: str = MANAGER,
) -> None:
    kind, name = BY_NAME[manifest["kind"]], manifest["metadata"]["name"]
    try:
        live = await cluster.apply(manifest, manager)
    except OperatorError as error:
        outcome.fail(error, kind.name, name)
    else:
        outcome.succeed("apply", kind.name, name)
        senses.put(kind, live)


async def _patch_routes(
    patches: Iterable[RoutePatch],
    namespace: str,
    cluster: Cluster,
    routes: ReferencedObjects,
    outcome: Outcome,
) -> None:
    """Patch users' routes; refresh a route that has changed since it was observed."""
    for patch in patches:
        try:
            live = await cluster.patch(HTTP_ROUTE, namespace, patch.name, patch.operations)
        except ConflictError as error:
            await routes.refresh(Key(namespace, patch.name))
            outcome.conflict = error
        except OperatorError as error:
            outcome.fail(error, HTTP_ROUTE.name, patch.name)
        else:
            outcome.succeed("patch", HTTP_ROUTE.name, patch.name)
            routes.put(live)


async def _set_finalizer(
    deployment: Manifest, cluster: Cluster, store: Store, outcome: Outcome, *, present: bool
) -> None:
    metadata = deployment["metadata"]
    others = [
        finalizer for finalizer in metadata.get("finalizers") or () if finalizer != ROUTE_FINALIZER
    ]
    version, name = metadata["resourceVersion"], metadata["name"]
    operations = (
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {
            "op": "add",
            "path": "/metadata/finalizers",
            "value": [*others, ROUTE_FINALIZER] if present else others,
        },
    )
    try:
        live = await cluster.patch(MODEL_DEPLOYMENT, metadata["namespace"], name, operations)
    except ConflictError as error:
        outcome.conflict = error
    except OperatorError as error:
        outcome.fail(error, MODEL_DEPLOYMENT.name, name)
    else:
        outcome.succeed("patch", MODEL_DEPLOYMENT.name, name)
        store.put(MODEL_DEPLOYMENT, live)


async def _delete(
    ref: ObjectRef, key: Key, cluster: Cluster, store: Store, outcome: Outcome
) -> None:
    kind = BY_NAME[ref.kind]
    try:
        await cluster.delete(kind, key.namespace, ref.name, ref.uid)
    except OperatorError as error:
        outcome.fail(error, kind.name, ref.name)
        return
    outcome.succeed("delete", kind.name, ref.name)
    for child in store.owned(kind, key):
        if child["metadata"]["uid"] == ref.uid:
            store.drop(kind, child)


async def _post(event: Manifest, cluster: Cluster, outcome: Outcome) -> None:
    """Post an Event. A failure is only logged: the status has the same information."""
    try:
        await cluster.post_event(event)
        outcome.succeed("create", "Event", event["reason"])
    except NamespaceTerminatingError:
        return
    except OperatorError as error:
        telemetry.ERRORS.labels(type(error).__name__).inc()
        log.warning("Could not write an Event: %s", error, extra={"reason": event["reason"]})
