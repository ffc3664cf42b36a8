"""One reconcile of one ModelDeployment: observe, decide, execute, and log the result."""

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from halimede import telemetry
from halimede.adapters.cluster import Cluster
from halimede.adapters.errors import ConflictError, OperatorError
from halimede.adapters.kinds import MODEL_DEPLOYMENT
from halimede.adapters.store import Key
from halimede.api.base import Manifest
from halimede.api.status import ExecutedCommand, Status
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.finalize import Deletion, pending_deletion, plan_deletion
from halimede.plan.plan import Plan, describe_transition
from halimede.plan.planner import decide
from halimede.plan.priority import Priority, priority_of
from halimede.plan.renderer import Renderer
from halimede.plan.unreadable import plan_for_unreadable
from halimede.reconcile.execute import Outcome, execute_plan
from halimede.reconcile.observe import Readers, observe
from halimede.reconcile.queue import Result
from halimede.reconcile.status_metrics import new_commands, remove, update
from halimede.render.platform import Platform

log = logging.getLogger(__name__)

ERRORS_CHANGED_REQUEUE_SECONDS = 0.2
"""Delay after other writes failed than before: the status does not show the errors yet."""


@dataclass(slots=True)
class Reconciler:
    """The dependencies of a reconcile, and what it keeps for the next one."""

    cluster: Cluster
    senses: Readers
    platform: Platform
    resync_seconds: float
    clock: Callable[[], float]
    """Returns the UNIX time; a reconcile reads it once."""
    chance: Callable[[], float] = random.random
    """Returns the jitter of the resync, in [0, 1)."""
    renderer: Renderer = field(default_factory=Renderer)
    """It also knows which queries are allowed."""
    _apply_errors: dict[Key, Mapping[str, OperatorError]] = field(default_factory=dict)
    _with_metrics: set[Key] = field(default_factory=set)

    async def reconcile(self, key: Key) -> Result:
        """Reconcile one ModelDeployment; return when to do so again."""
        manifest = self.senses.store.deployment(key)
        deletion = pending_deletion(manifest) if manifest else None
        if manifest is None or (deletion is None and "deletionTimestamp" in manifest["metadata"]):
            # The garbage collector takes the children: they are all owned by it.
            self._forget(key)
            log.debug("The object no longer exists", extra={"key": str(key)})
            return Result()
        with telemetry.RECONCILE_SECONDS.time():
            try:
                return await (
                    self._finalize(key, manifest, deletion)
                    if deletion
                    else self._reconcile_live(key, manifest)
                )
            except ConflictError as error:
                return await self._conclude(key, manifest, Outcome(conflict=error), None)

    def remove_metrics(self) -> None:
        """Remove the series of all ModelDeployments: another replica exports them from now on."""
        for key in self._with_metrics:
            remove(key)
        self._with_metrics.clear()

    async def _reconcile_live(self, key: Key, manifest: Manifest) -> Result:
        now = self.clock()
        try:
            deployment = ModelDeployment.from_manifest(manifest)
        except ValidationError as error:
            telemetry.ERRORS.labels(type(error).__name__).inc()
            plan = plan_for_unreadable(manifest, error, now)
            outcome = await execute_plan(plan, manifest, self.cluster, self.senses, now)
            return await self._conclude(key, manifest, outcome, None)
        errors = self._apply_errors.get(key, {})
        observed = await observe(key, deployment, self.senses, self.renderer, errors, now)
        plan = decide(observed, self.renderer, self.platform, now)
        self.renderer.sweep(key, observed.children)
        self.senses.foreign.retain(key, plan.taken)
        outcome = await execute_plan(plan, manifest, self._writer(manifest), self.senses, now)
        self._keep_errors(key, outcome.failed)
        if plan.status is not None:
            _log_commands(key, new_commands(deployment.status, plan.status))
        self._update_metrics(key, deployment.status, plan.status)
        transition = describe_transition(deployment.status, plan.status)
        requeue_after = self._requeue_after(plan, outcome, errors)
        return await self._conclude(key, manifest, outcome, requeue_after, transition)

    def _writer(self, manifest: Manifest) -> Cluster:
        """Return the client for the writes of a reconcile that begins with *manifest*."""
        first = priority_of(manifest) is Priority.TRAFFIC
        return self.cluster.with_precedence() if first else self.cluster

    async def _finalize(self, key: Key, manifest: Manifest, deletion: Deletion) -> Result:
        """Restore users' routes, then remove the finalizer."""
        now = self.clock()
        names = [route.name for route in deletion.status.user_routes]
        plan = plan_deletion(deletion, await self.senses.routes.read(key, names), now)
        outcome = await execute_plan(plan, manifest, self.cluster, self.senses, now)
        return await self._conclude(key, manifest, outcome, plan.requeue_after)

    async def _conclude(
        self,
        key: Key,
        manifest: Manifest,
        outcome: Outcome,
        requeue_after: float | None,
        transition: str | None = None,
    ) -> Result:
        """Log the reconcile and return its result; after a conflict requeue immediately."""
        result = Result(
            requeue_after=requeue_after if outcome.conflict is None else 0.0,
            failed=bool(outcome.failed),
            retry_after=outcome.retry_after,
            contested=outcome.conflict is not None or bool(outcome.taken),
            writes=outcome.attempts,
        )
        _log_reconcile(key, outcome, transition, result)
        if outcome.conflict is not None:
            await self._refresh(key, manifest)
        return result

    async def _refresh(self, key: Key, observed: Manifest) -> None:
        """Store the live version after a conflict."""
        live = await self.cluster.get(MODEL_DEPLOYMENT, key.namespace, key.name)
        if live is None:
            self.senses.store.drop(MODEL_DEPLOYMENT, observed)
        else:
            self.senses.store.put(MODEL_DEPLOYMENT, live)

    def _requeue_after(
        self,
        plan: Plan,
        outcome: Outcome,
        before: Mapping[str, OperatorError],
    ) -> float:
        if outcome.taken or outcome.failed.keys() != before.keys():
            return ERRORS_CHANGED_REQUEUE_SECONDS
        resync = self.resync_seconds * (0.9 + 0.2 * self.chance())
        return resync if plan.requeue_after is None else min(resync, plan.requeue_after)

    def _keep_errors(self, key: Key, failed: Mapping[str, OperatorError]) -> None:
        if failed:
            self._apply_errors[key] = failed
        else:
            self._apply_errors.pop(key, None)

    def _update_metrics(self, key: Key, before: Status, after: Status | None) -> None:
        if after is not None or key not in self._with_metrics:
            self._with_metrics.add(key)
            update(key, before, after or before)

    def _forget(self, key: Key) -> None:
        self._apply_errors.pop(key, None)
        self.senses.inputs.forget(key)
        self.senses.routes.forget(key)
        self.senses.polls.forget(key)
        self.renderer.forget(key)
        self.senses.foreign.forget(key)
        self._with_metrics.discard(key)
        remove(key)


def _log_commands(key: Key, commands: Iterable[ExecutedCommand]) -> None:
    """Log who gave which command on which evidence; `audit` selects these lines."""
    for command in commands:
        log.info(
            "Command executed",
            extra={
                "key": str(key),
                "audit": True,
                "command": command.text,
                "by": command.by,
                "basis": command.basis,
            },
        )


def _log_reconcile(key: Key, outcome: Outcome, transition: str | None, result: Result) -> None:
    """Log a reconcile: at INFO if it wrote or failed to write something, otherwise at DEBUG.

    The messages of failed writes are only in the status: the API server may quote a user's value
    in them.
    """
    fields: dict[str, object] = {
        "key": str(key),
        "transition": transition,
        "writes": outcome.writes,
        "failed": sorted(outcome.failed),
        "taken": sorted(outcome.taken),
        "conflict": outcome.conflict and str(outcome.conflict),
        "requeue_seconds": None
        if result.requeue_after is None
        else round(result.requeue_after, 3),
    }
    log.log(
        logging.INFO if outcome.writes or outcome.failed or outcome.taken else logging.DEBUG,
        "Reconciled" if outcome.conflict is None else "The object changed in the meantime",
        extra={name: value for name, value in fields.items() if value not in (None, [])},
    )
