"""The running operator: the only module that connects all its components."""

import asyncio
import gc
import logging
import platform
import signal
import time
from collections.abc import Collection
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from uuid import uuid4

import kopf

from halimede import log, telemetry, watches, web
from halimede.adapters.access_reviews import AccessReviews
from halimede.adapters.cluster import AGENT, KubeCluster
from halimede.adapters.kinds import CONFIG_MAP, HTTP_ROUTE, REFERENCED, Kind
from halimede.adapters.lease import LeaseClient
from halimede.adapters.login import log_in
from halimede.adapters.prometheus import PrometheusReader
from halimede.adapters.store import Key, Store
from halimede.plan.priority import Priority, priority_of
from halimede.plan.renderer import Renderer
from halimede.reconcile.election import Elector
from halimede.reconcile.foreign import ForeignObjects
from halimede.reconcile.observe import Readers
from halimede.reconcile.polls import Polls
from halimede.reconcile.queue import WorkQueue
from halimede.reconcile.reconciler import Reconciler
from halimede.reconcile.references import ReferencedObjects
from halimede.reconcile.resync import CacheSync
from halimede.render.field_types import load_models
from halimede.settings import Settings

_log = logging.getLogger(__name__)

CLOCK = time.time  # noqa: TID251  (the one wall clock of the operator)
DRAIN_SECONDS = 20.0
"""How long reconciles may take to finish after SIGTERM; the chart's grace period is longer."""
LAG_SECONDS = 5.0
"""Lag of the event loop above which the process is unhealthy."""
STALLED_SECONDS = 600.0
"""Time for which keys may wait while no reconcile ends before the process is unhealthy."""
MEASURE_LAG_SECONDS = 1.0
"""How often the lag of the event loop is measured."""
ALLOCATIONS = 50_000
"""Number of new objects after which cycles among them are collected. With Python's 700, that took
a fifth of the processor time while many ModelDeployments were created."""


async def run(settings: Settings) -> bool:
    """Run the operator until SIGTERM or SIGINT; return whether every reconcile finished."""
    log.set_up(settings.log_format, settings.log_level)
    asyncio.get_running_loop().set_exception_handler(log.log_loop_exception)
    _log.info("Starting", extra={"settings": str(settings)})
    load_models()
    gc.freeze()  # the modules are never collected, so they need not be searched
    gc.set_threshold(ALLOCATIONS)
    async with AsyncExitStack() as clients:
        elector, agent = None, AGENT
        if settings.lease is not None:
            leases = KubeCluster(await log_in(), log_in=log_in)
            clients.push_async_callback(leases.close)
            identity = f"{platform.node()}_{uuid4()}"
            agent = f"{AGENT} ({identity})"
            lease = LeaseClient(leases, *settings.lease, CLOCK)
            elector = Elector(lease, identity, settings.lease_seconds)
        before_write = elector.require_leadership if elector else None
        cluster = KubeCluster(await log_in(), agent, log_in, before_write, settings.workers + 1)
        clients.push_async_callback(cluster.close)
        access = None
        if settings.metrics_authentication:
            reviewer = KubeCluster(await log_in(), agent, log_in)
            clients.push_async_callback(reviewer.close)
            access = AccessReviews(reviewer)
        return await Operator(settings, cluster, elector, access).run()


@dataclass(slots=True)
class Operator:
    """The components of the operator."""

    settings: Settings
    cluster: KubeCluster
    elector: Elector | None = None
    """Makes sure that only one replica reconciles; None: there is only one."""
    access: AccessReviews | None = None
    """Decides who may read the metrics; None: everyone."""
    store: Store = field(default_factory=Store)
    queue: WorkQueue = field(init=False)
    named: dict[Kind, ReferencedObjects] = field(init=False)
    """Users' own objects that specs reference, by kind."""
    _watches: Collection[asyncio.Task[None]] = ()
    _synced: bool = False
    _lag: float = 0.0

    def __post_init__(self) -> None:
        """Create the components that need others."""
        self.named = {kind: ReferencedObjects(self.cluster, kind) for kind in REFERENCED}
        self.queue = WorkQueue(self.settings.workers, self._priority)
        self.queue.export_metrics()

    async def run(self) -> bool:
        """Run until SIGTERM or SIGINT; return whether every reconcile finished.

        The order of the shutdown matters: kopf cancels every task that was started after it, so it
        stops last, when no reconcile is running.
        """
        stop_requested, kopf_may_stop = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch(stop_requested, kopf_may_stop))
            async with web.serve(
                self.settings.http_port,
                healthy=self.unhealthy_reason,
                ready=self.unready_reason,
                notes=self.queue.describe,
                find_denial=self.access.find_denial if self.access else None,
            ) as port:
                _log.info("Serving /healthz, /readyz and /metrics", extra={"port": port})
                reconciling = tasks.create_task(self._work())
                await stop_requested.wait()
                _log.info("Stopping: no new reconciles start")
                drained = await self.queue.shut_down(DRAIN_SECONDS)
                reconciling.cancel()
                await asyncio.wait([reconciling])
                if self.elector is not None:
                    await self.elector.release()
            kopf_may_stop.set()
        return drained

    def unhealthy_reason(self) -> str | None:
        """Return why this process should be restarted, or None."""
        for watch in self._watches:
            if watch.done() and not watch.cancelled() and (error := watch.exception()):
                return f"the watches have failed: {error!r}"
        if self._lag > LAG_SECONDS:
            return f"the event loop is {self._lag:.0f} s late"
        if (stalled := self.queue.stalled_seconds()) > STALLED_SECONDS:
            return f"ModelDeployments wait, but no reconcile has ended for {stalled:.0f} s"
        return None

    def unready_reason(self) -> str | None:
        """Return why nothing is reconciled yet, or None."""
        return None if self._synced else "the initial watch events have not all been delivered yet"

    async def _watch(self, stop_requested: asyncio.Event, kopf_may_stop: asyncio.Event) -> None:
        """Run kopf until *kopf_may_stop* is set; if kopf fails, the operator ends."""
        namespaces = self.settings.namespaces
        deliver = watches.delivery(self.store, self.named, self.queue)
        before = asyncio.all_tasks()
        self._watches = await kopf.spawn_tasks(
            registry=watches.registry(deliver, log_in),
            settings=watches.settings(namespaced=bool(namespaces)),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=kopf_may_stop,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Replaces kopf's own handler, which would stop kopf before our reconciles finish.
            loop.add_signal_handler(number, stop_requested.set)
        try:
            await kopf.run_tasks(self._watches, ignored=before)
        finally:
            stop_requested.set()

    async def _work(self) -> None:
        """Wait until the store is synced, then reconcile while this replica leads."""
        sync = CacheSync(self.cluster, self.store, self.settings.namespaces)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._measure_lag())
            await sync.wait_for_sync()
            self._synced = True
            _log.info("Synced", extra={"modeldeployments": len(self.store.keys())})
            if self.elector is None:
                telemetry.LEADER.set(1)
                await self._reconcile(sync)
            else:
                await self.elector.lead(lambda: self._reconcile(sync))

    async def _reconcile(self, sync: CacheSync) -> None:
        """Run the workers, and resync at an interval, until cancelled.

        The reconciler is a new one each time: what an earlier one kept is from before another
        replica led. Keys that it was processing when it was cancelled are not in the queue.
        """
        keys = self.store.keys()
        for key in keys:
            self.queue.resync(key)
        with closing(self._polls()) as polls:
            reconciler = self._reconciler(polls)
            try:
                await self._run_workers(reconciler, sync)
            finally:
                reconciler.remove_metrics()

    async def _run_workers(self, reconciler: Reconciler, sync: CacheSync) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.settings.workers):
                tasks.create_task(self.queue.run_worker(reconciler.reconcile))
            while True:
                await asyncio.sleep(self.settings.resync_seconds)
                await sync.resync(self.queue.add)

    def _polls(self) -> Polls:
        reader = PrometheusReader(
            self.settings.prometheus_url,
            credentials=self.settings.prometheus_credentials,
            insecure=self.settings.prometheus_insecure_skip_verify,
            max_response_mebibytes=self.settings.prometheus_max_response_mebibytes,
        )
        return Polls(reader, wake=self.queue.add, clock=CLOCK)

    def _reconciler(self, polls: Polls) -> Reconciler:
        return Reconciler(
            cluster=self.cluster,
            senses=Readers(
                store=self.store,
                inputs=self.named[CONFIG_MAP],
                routes=self.named[HTTP_ROUTE],
                foreign=ForeignObjects(self.cluster),
                polls=polls,
            ),
            platform=self.settings.platform(),
            resync_seconds=self.settings.resync_seconds,
            clock=CLOCK,
            renderer=Renderer(policy=self.settings.query_policy()),
        )

    def _priority(self, key: Key) -> Priority:
        return priority_of(self.store.deployment(key))

    async def _measure_lag(self) -> None:
        """Measure the lag of the event loop: a high lag means that something blocks it."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + MEASURE_LAG_SECONDS
            await asyncio.sleep(MEASURE_LAG_SECONDS)
            self._lag = loop.time() - due
