"""Execute a plan: write the status first, then make the changes that it announces."""

import logging
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from halimede import telemetry
from halimede.adapters.cluster import Cluster
from halimede.adapters.errors import (
    ConflictError,
    NamespaceTerminatingError,
    OperatorError,
    TransientError,
)
from halimede.adapters.kinds import BY_NAME, HTTP_ROUTE, MODEL_DEPLOYMENT
from halimede.adapters.store import Key, Store
from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP
from halimede.plan.finalize import finalizer_patch
from halimede.plan.foreign import ChildKey, child_key, is_owned_by
from halimede.plan.plan import Event, ObjectRef, Plan, RoutePatch
from halimede.plan.write_order import independent_of, waves
from halimede.reconcile.observe import Readers
from halimede.reconcile.references import ReferencedObjects
from halimede.render.names import MANAGER

log = logging.getLogger(__name__)

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
    taken: list[str] = field(default_factory=list)
    """The children, as `Kind/name`, whose names foreign objects have, found by their writes."""
    conflict: ConflictError | None = None
    """The error of the last write whose object had changed since it was observed."""

    @property
    def attempts(self) -> int:
        """The number of writes that were sent, whatever their results are."""
        sent = len(self.writes) + len(self.failed) + len(self.taken)
        return sent + (self.conflict is not None)

    @property
    def retry_after(self) -> float:
        """The seconds for which the API server wants none of the failed writes again."""
        errors = (one for one in self.failed.values() if isinstance(one, TransientError))
        return max((error.retry_after or 0.0 for error in errors), default=0.0)

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

    def find_taken(self, kind: str, name: str) -> None:
        """Record a write that failed because a foreign object has the name."""
        telemetry.ERRORS.labels(ConflictError.__name__).inc()
        self.taken.append(f"{kind}/{name}")


async def execute_plan(
    plan: Plan, deployment: Manifest, cluster: Cluster, senses: Readers, now: float
) -> Outcome:
    """Execute *plan*, one write after the other; return which succeeded and which failed.

    So the number of workers limits how many writes the API server has at a time, and those that
    take requests back do not queue there behind many others.

    The status is written first, for the version that was observed: if another client has changed
    the object since, nothing else is written. All later writes can be repeated, and one that fails
    does not prevent the others, except those that depend on a child that could not be created. If
    a foreign object is found to have the name of a child, the next reconcile plans the rest.

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
    for handover in plan.handovers:
        await _hand_over(handover, cluster, senses, outcome)
    await _write_children(plan.applies, deployment, cluster, senses, outcome)
    if not outcome.taken:
        await _patch_routes(plan.patches, key.namespace, cluster, senses.routes, outcome)
        for ref in plan.deletes:
            await _delete(ref, key, cluster, store, outcome)
    for number, event in enumerate(plan.events):
        await _post(event_manifest(event, deployment, now + number * 1e-6), cluster, outcome)
    if plan.finalizer is not None and outcome.conflict is None and not outcome.taken:
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


async def _hand_over(
    manifest: Manifest, cluster: Cluster, senses: Readers, outcome: Outcome
) -> None:
    kind, name = BY_NAME[manifest["kind"]], manifest["metadata"]["name"]
    try:
        live = await cluster.apply(manifest, HANDOVER)
    except OperatorError as error:
        outcome.fail(error, kind.name, name)
    else:
        outcome.succeed("apply", kind.name, name)
        senses.put(kind, live)


async def _write_children(
    manifests: Iterable[Manifest],
    deployment: Manifest,
    cluster: Cluster,
    senses: Readers,
    outcome: Outcome,
) -> None:
    """Write children in their order, until a name is found to be taken."""
    missing: set[ChildKey] = set()
    for wave in waves(manifests):
        ready = independent_of(wave, missing)
        done = {
            child_key(manifest)
            for manifest in ready
            if await _write_child(manifest, deployment, cluster, senses, outcome)
        }
        if outcome.taken:
            return
        new = {child_key(one) for one in wave if "uid" not in one["metadata"]}
        missing |= new - done


async def _write_child(
    manifest: Manifest, deployment: Manifest, cluster: Cluster, senses: Readers, outcome: Outcome
) -> bool:
    """Create or apply a child, unless a foreign object has its name; return the success."""
    kind, name = child = child_key(manifest)
    owner = deployment["metadata"]
    try:
        live = await _create_or_apply(manifest, owner["uid"], cluster)
    except OperatorError as error:
        outcome.fail(error, kind, name)
        return False
    if not is_owned_by(live, owner["uid"]):
        outcome.find_taken(kind, name)
        senses.foreign.add(Key(owner["namespace"], owner["name"]), child)
        return False
    outcome.succeed("apply", kind, name)
    senses.put(BY_NAME[kind], live)
    return True


async def _create_or_apply(manifest: Manifest, uid: str, cluster: Cluster) -> Manifest:
    """Return the live child, or the metadata of the foreign object that has its name.

    After a conflict the object is read: it may be a child that the watch has not shown, such as
    one that has lost the label that we select by.
    """
    metadata = manifest["metadata"]
    try:
        return await (cluster.apply if "uid" in metadata else cluster.create)(manifest)
    except ConflictError:
        kind = BY_NAME[manifest["kind"]]
        live = await cluster.get_metadata(kind, metadata["namespace"], metadata["name"])
        if live is None:
            raise  # deleted in the meantime
        if not is_owned_by(live, uid):
            return live
        bound = metadata | {"uid": live["metadata"]["uid"]}
        return await cluster.apply(manifest | {"metadata": bound})


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
    name, operations = metadata["name"], finalizer_patch(metadata, present=present)
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
