"""Act: the status first, then what it says."""

import asyncio
import logging
import platform
from collections.abc import Iterable
from datetime import UTC, datetime

from halimede import metrics
from halimede.adapters.cluster import Cluster
from halimede.adapters.errors import ConflictError, EndingError, OperatorError
from halimede.adapters.kinds import BY_NAME, HTTP_ROUTE, INGRESS, MODEL_DEPLOYMENT
from halimede.adapters.store import Key, Store
from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP, ROUTE_FINALIZER
from halimede.reconcile.inputs import ObjectReader
from halimede.reconcile.observe import Senses
from halimede.reconcile.plan import Event, ObjectRef, Plan, RoutePatch
from halimede.render.names import MANAGER

log = logging.getLogger(__name__)

_ROUTES = (HTTP_ROUTE.name, INGRESS.name)
"""Kinds that name others: applied after the rest, so that they never name what is not there."""
HANDOVER = f"{MANAGER}-replicas"
"""The field manager that holds a Deployment's replicas while we let go of them."""
Errors = dict[str, OperatorError]
"""Why writes failed, by `Kind/name`."""
_NOTE_LENGTH = 1024
"""Longest `note` of an Event (`events.k8s.io/v1`)."""


async def carry_out(
    plan: Plan, deployment: Manifest, cluster: Cluster, senses: Senses, now: float
) -> Errors:
    """Do what *plan* says; return why writes failed, by `Kind/name`.

    The status is written first, against the version that was observed: whoever loses that race
    does nothing else. Every write that follows may be repeated, and one that fails does not stop
    the others.

    Raises:
        ConflictError: The ModelDeployment, or a user's route, has changed since it was observed.
        OperatorError: The status could not be written; nothing else was done.
    """
    store = senses.store
    if plan.status is not None:
        written = await cluster.write_status(deployment, plan.status.to_manifest())
        metrics.WRITES.labels("status", MODEL_DEPLOYMENT.name).inc()
        store.put(MODEL_DEPLOYMENT, written)
        deployment = deployment | {"metadata": written["metadata"]}
    errors: Errors = {}
    await asyncio.gather(
        *(_apply(handover, cluster, store, errors, HANDOVER) for handover in plan.handovers)
    )
    for wave in _waves(plan.applies):
        await asyncio.gather(*(_apply(manifest, cluster, store, errors) for manifest in wave))
    key = Key(deployment["metadata"]["namespace"], deployment["metadata"]["name"])
    lost = await _patch_routes(plan.patches, key.namespace, cluster, senses.routes, errors)
    await asyncio.gather(*(_delete(ref, key, cluster, store, errors) for ref in plan.deletes))
    for number, event in enumerate(plan.events):
        await _post(event_manifest(event, deployment, now + number * 1e-6), cluster)
    if lost is not None:
        raise lost
    if plan.finalizer is not None:
        await _set_finalizer(deployment, cluster, store, errors, wanted=plan.finalizer)
    return errors


def event_manifest(event: Event, deployment: Manifest, now: float) -> Manifest:
    """Write *event* about *deployment* as an `events.k8s.io/v1` Event.

    The name is made as client-go makes it: the object's, and the time in hexadecimal.
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
    store: Store,
    errors: Errors,
    manager: str = MANAGER,
) -> None:
    kind = BY_NAME[manifest["kind"]]
    try:
        live = await cluster.apply(manifest, manager)
    except OperatorError as error:
        _note(error, f"{kind.name}/{manifest['metadata']['name']}", errors)
    else:
        metrics.WRITES.labels("apply", kind.name).inc()
        store.put(kind, live)


async def _patch_routes(
    patches: Iterable[RoutePatch],
    namespace: str,
    cluster: Cluster,
    routes: ObjectReader,
    errors: Errors,
) -> ConflictError | None:
    """Patch users' routes; return the race that was lost, after looking at what won it."""
    lost = None
    for patch in patches:
        try:
            live = await cluster.patch(HTTP_ROUTE, namespace, patch.name, patch.operations)
        except ConflictError as error:
            await routes.refresh(Key(namespace, patch.name))
            lost = error
        except OperatorError as error:
            _note(error, f"{HTTP_ROUTE.name}/{patch.name}", errors)
        else:
            metrics.WRITES.labels("patch", HTTP_ROUTE.name).inc()
            routes.seen(live)
    return lost


async def _set_finalizer(
    deployment: Manifest, cluster: Cluster, store: Store, errors: Errors, *, wanted: bool
) -> None:
    metadata = deployment["metadata"]
    others = [one for one in metadata.get("finalizers") or () if one != ROUTE_FINALIZER]
    version = metadata["resourceVersion"]
    operations = (
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {
            "op": "add",
            "path": "/metadata/finalizers",
            "value": [*others, ROUTE_FINALIZER] if wanted else others,
        },
    )
    try:
        live = await cluster.patch(
            MODEL_DEPLOYMENT, metadata["namespace"], metadata["name"], operations
        )
    except ConflictError:
        raise
    except OperatorError as error:
        _note(error, f"{MODEL_DEPLOYMENT.name}/{metadata['name']}", errors)
    else:
        metrics.WRITES.labels("patch", MODEL_DEPLOYMENT.name).inc()
        store.put(MODEL_DEPLOYMENT, live)


async def _delete(
    ref: ObjectRef, key: Key, cluster: Cluster, store: Store, errors: Errors
) -> None:
    kind = BY_NAME[ref.kind]
    try:
        await cluster.delete(kind, key.namespace, ref.name, ref.uid)
    except OperatorError as error:
        _note(error, f"{ref.kind}/{ref.name}", errors)
        return
    metrics.WRITES.labels("delete", kind.name).inc()
    for known in store.owned(kind, key):
        if known["metadata"]["uid"] == ref.uid:
            store.drop(kind, known)


async def _post(event: Manifest, cluster: Cluster) -> None:
    """Post an Event. One that is lost is a pity and no more: the status says the same."""
    try:
        await cluster.post_event(event)
        metrics.WRITES.labels("create", "Event").inc()
    except EndingError:
        return
    except OperatorError as error:
        metrics.ERRORS.labels(type(error).__name__).inc()
        log.warning("An Event could not be posted: %s", error, extra={"reason": event["reason"]})


def _note(error: OperatorError, what: str, errors: Errors) -> None:
    if isinstance(error, EndingError):
        return
    metrics.ERRORS.labels(type(error).__name__).inc()
    errors[what] = error
