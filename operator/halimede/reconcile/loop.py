"""One pass over one ModelDeployment: observe, decide, carry out."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from halimede import metrics
from halimede.adapters.cluster import Cluster
from halimede.adapters.errors import ConflictError, OperatorError
from halimede.adapters.kinds import MODEL_DEPLOYMENT
from halimede.adapters.store import Key
from halimede.api.base import Manifest
from halimede.api.status import Status
from halimede.api.v1alpha1 import ModelDeployment
from halimede.reconcile.carry_out import carry_out
from halimede.reconcile.decide import decide
from halimede.reconcile.farewell import Leaving, farewell, leaving
from halimede.reconcile.observe import Senses, observe
from halimede.reconcile.plan import Plan
from halimede.reconcile.queue import Look
from halimede.reconcile.refuse import refusal
from halimede.reconcile.report import forget, report
from halimede.render.platform import Platform

NEWS_SECONDS = 0.2
"""How soon to look again when other writes fail than before: the status has yet to tell."""


@dataclass(slots=True)
class Reconciler:
    """What a pass needs, and what it remembers for the next one."""

    cluster: Cluster
    senses: Senses
    platform: Platform
    resync_seconds: float
    clock: Callable[[], float]
    """Tells the UNIX time; a pass reads it once."""
    chance: Callable[[], float] = random.random
    """Draws the jitter of the resync, in [0, 1)."""
    _apply_errors: dict[Key, Mapping[str, OperatorError]] = field(default_factory=dict)
    _reported: set[Key] = field(default_factory=set)

    async def reconcile(self, key: Key) -> Look:
        """Look at one ModelDeployment once, and put right what is not as it should be."""
        manifest = self.senses.store.deployment(key)
        gone = leaving(manifest) if manifest else None
        if manifest is None or (gone is None and "deletionTimestamp" in manifest["metadata"]):
            # The garbage collector takes the children: they are all owned by it.
            self._forget(key)
            return Look()
        with metrics.RECONCILE_SECONDS.time():
            try:
                return await (
                    self._farewell(key, manifest, gone) if gone else self._pass(key, manifest)
                )
            except ConflictError:
                return await self._catch_up(key, manifest)

    async def _pass(self, key: Key, manifest: Manifest) -> Look:
        now = self.clock()
        try:
            deployment = ModelDeployment.from_manifest(manifest)
        except ValidationError as error:
            metrics.ERRORS.labels(type(error).__name__).inc()
            plan = refusal(manifest, error, now)
            await carry_out(plan, manifest, self.cluster, self.senses, now)
            return Look()
        errors = self._apply_errors.get(key, {})
        observed = await observe(key, deployment, self.senses, errors, now)
        plan = decide(observed, self.platform, now)
        failed = await carry_out(plan, manifest, self.cluster, self.senses, now)
        self._remember(key, failed)
        self._report(key, deployment.status, plan.status)
        return Look(again=self._again(plan, failed, errors), failed=bool(failed))

    async def _farewell(self, key: Key, manifest: Manifest, gone: Leaving) -> Look:
        """Give users' routes back, and then let the object go."""
        now = self.clock()
        names = [one.name for one in gone.status.user_routes]
        plan = farewell(gone, await self.senses.routes.read(key, names), now)
        failed = await carry_out(plan, manifest, self.cluster, self.senses, now)
        return Look(again=plan.again, failed=bool(failed))

    async def _catch_up(self, key: Key, seen: Manifest) -> Look:
        """Fetch the version that was faster than us, and look again at once."""
        live = await self.cluster.get(MODEL_DEPLOYMENT, key.namespace, key.name)
        if live is None:
            self.senses.store.drop(MODEL_DEPLOYMENT, seen)
        else:
            self.senses.store.put(MODEL_DEPLOYMENT, live)
        return Look(again=0.0)

    def _again(
        self,
        plan: Plan,
        failed: Mapping[str, OperatorError],
        before: Mapping[str, OperatorError],
    ) -> float:
        if failed.keys() != before.keys():
            return NEWS_SECONDS
        resync = self.resync_seconds * (0.9 + 0.2 * self.chance())
        return resync if plan.again is None else min(resync, plan.again)

    def _remember(self, key: Key, failed: Mapping[str, OperatorError]) -> None:
        if failed:
            self._apply_errors[key] = failed
        else:
            self._apply_errors.pop(key, None)

    def _report(self, key: Key, before: Status, after: Status | None) -> None:
        if after is not None or key not in self._reported:
            self._reported.add(key)
            report(key, before, after or before)

    def _forget(self, key: Key) -> None:
        self._apply_errors.pop(key, None)
        self.senses.inputs.forget(key)
        self.senses.routes.forget(key)
        self._reported.discard(key)
        forget(key)
