"""Two tenants of one operator: one has a bad canary, the other many slow queries.

The operator's own queue, reconciler and Prometheus client work on the objects of `FakeCluster`
and ask a real HTTP server on loopback.
"""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field

from halimede.adapters.kinds import (
    BY_NAME,
    CONFIG_MAP,
    ENDPOINT_SLICE,
    HTTP_ROUTE,
    MANAGED_BY,
    MODEL_DEPLOYMENT,
    POD,
    Kind,
)
from halimede.adapters.prometheus import PrometheusReader
from halimede.adapters.store import Key, Listing, Store
from halimede.api.base import Manifest
from halimede.api.sources import Source
from halimede.api.status import Outcome, State, Status
from halimede.judge.reading import CounterSamples
from halimede.plan.planner import decide
from halimede.plan.priority import priority_of
from halimede.reconcile.foreign import ForeignObjects
from halimede.reconcile.observe import Readers
from halimede.reconcile.polls import Polls
from halimede.reconcile.queue import Result, WorkQueue
from halimede.reconcile.reconciler import Reconciler
from halimede.reconcile.references import ReferencedObjects
from halimede.render.names import MANAGER, NAME_LABEL, REVISION_LABEL
from halimede.settings import Settings
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import PLATFORM, FakeCluster
from harness.slow_prometheus import SLOW, SlowServer, body

VICTIM = Key("ml", "digits")
NEIGHBOURS = "slow"
"""The namespace with the slow queries."""
WORKERS = Settings.from_env({}).workers
READ_SECONDS = 600.0
"""So long that no slow query ends by itself."""
_QUERY = f"sum(increase({SLOW}{{revision='{{{{ revision }}}}'}}[{{{{ window }}}}]))"


@dataclass
class MemoryApi:
    """An API server in memory, as `adapters.cluster.Cluster`."""

    objects: dict[tuple[str, Key], Manifest] = field(default_factory=dict)
    statuses: list[tuple[Key, Status]] = field(default_factory=list)
    """Every status that was written."""
    version: int = 1_000_000

    def with_precedence(self) -> "MemoryApi":
        """Return this server: it rejects nothing, so no write waits."""
        return self

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the stored object."""
        return self.objects.get((kind.name, Key(namespace, name)))

    async def get_metadata(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the stored object, with all its fields."""
        return await self.get(kind, namespace, name)

    async def list_versions(self, kind: Kind, namespaces: Iterable[str]) -> Listing:
        """Raise, because a reconcile lists nothing."""
        raise NotImplementedError

    async def create(self, manifest: Manifest, manager: str = MANAGER) -> Manifest:
        """Store the object: there is no other one of its name."""
        return await self.apply(manifest, manager)

    async def apply(self, manifest: Manifest, manager: str = MANAGER) -> Manifest:
        """Store the object."""
        assert manager
        return self._store(manifest)

    async def patch(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Manifest]
    ) -> Manifest:
        """Raise, because there are no routes of users."""
        raise NotImplementedError

    async def write_status(self, deployment: Manifest, status: Manifest) -> Manifest:
        """Store the status."""
        live = self._store(deployment | {"status": status})
        self.statuses.append((_key(live), Status.model_validate(status)))
        return live

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete nothing: what is superseded is of no interest here."""

    async def post_event(self, event: Manifest) -> None:
        """Accept the Event."""

    def _store(self, manifest: Manifest) -> Manifest:
        self.version += 1
        before = self.objects.get((manifest["kind"], _key(manifest)), {"metadata": {}})
        new = {"uid": f"uid-{self.version}", "creationTimestamp": "2026-01-01T00:00:00Z"}
        metadata = new | before["metadata"] | manifest["metadata"]
        live = manifest | {"metadata": metadata | {"resourceVersion": str(self.version)}}
        self.objects[live["kind"], _key(live)] = live
        return live


@dataclass
class Shared:
    """The operator that the tenants share."""

    clock: Callable[[], float]
    url: str
    """Prometheus's."""
    api: MemoryApi = field(default_factory=MemoryApi)
    store: Store = field(default_factory=Store)
    queue: WorkQueue = field(init=False)
    reconciled: set[Key] = field(default_factory=set)
    """The keys that have been reconciled."""
    before_answers: int = 0
    """How many had been when the last poll was answered: Prometheus takes its time."""
    _progress: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Create the queue, which needs the store."""
        self.queue = WorkQueue(WORKERS, lambda key: priority_of(self.store.deployment(key)))

    def add(self, cluster: FakeCluster, key: Key) -> None:
        """Add the objects of a cluster under another key."""
        owner = cluster.manifest() | {"apiVersion": MODEL_DEPLOYMENT.api_version}
        self._put(MODEL_DEPLOYMENT, owner, key)
        for manifest in cluster.objects.values():
            self._put(BY_NAME[manifest["kind"]], manifest, key)
        observed = cluster.observe()
        for number, pod in enumerate(observed.pods):
            revision = pod["metadata"]["labels"][REVISION_LABEL]
            self._put(POD, _owned(pod, pod["metadata"]["name"], revision, number), key)
        for number, slice_ in enumerate(observed.endpoint_slices):
            service = slice_["metadata"]["labels"]["kubernetes.io/service-name"]
            revision = service.removeprefix(f"{cluster.name}-")
            owned = _owned(slice_, f"{service}-x", revision, number)
            owned["metadata"]["labels"] |= slice_["metadata"]["labels"]
            self._put(ENDPOINT_SLICE, owned, key)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the workers."""
        reader = PrometheusReader(self.url, read_seconds=READ_SECONDS)
        with closing(Polls(reader, wake=self._wake, clock=self.clock)) as polls:
            reconciler = Reconciler(
                cluster=self.api,
                senses=Readers(
                    store=self.store,
                    inputs=ReferencedObjects(self.api, CONFIG_MAP),
                    routes=ReferencedObjects(self.api, HTTP_ROUTE),
                    foreign=ForeignObjects(self.api),
                    polls=polls,
                ),
                platform=PLATFORM,
                resync_seconds=300,
                clock=self.clock,
            )

            async def reconcile(key: Key) -> Result:
                result = await reconciler.reconcile(key)
                self.reconciled.add(key)
                self._progress.set()
                return result

            workers = [
                asyncio.create_task(self.queue.run_worker(reconcile)) for _ in range(WORKERS)
            ]
            try:
                yield
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.wait(workers)

    def outcome(self, key: Key) -> Outcome | None:
        """Return how the key's rollout has been decided; None: it has not."""
        rollouts = [status.rollout for at, status in self.api.statuses if at == key]
        return next((one.outcome for one in reversed(rollouts) if one), None)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true after a reconcile."""
        while not condition():
            self._progress.clear()
            await self._progress.wait()

    def _wake(self, key: Key) -> None:
        self.before_answers = len(self.reconciled)
        self.queue.add(key)

    def _put(self, kind: Kind, manifest: Manifest, key: Key) -> None:
        text = json.dumps(manifest)
        if key != VICTIM:
            text = text.replace(f'"{VICTIM.name}', f'"{key.name}')
        renamed = json.loads(text)
        metadata = renamed["metadata"]
        metadata |= {"namespace": key.namespace, "uid": f"{key}-{metadata['uid']}"}
        for owner in metadata.get("ownerReferences") or ():
            owner["uid"] = f"{key}-{owner['uid']}"
        renamed |= {"kind": kind.name, "apiVersion": kind.api_version}
        self.store.put(kind, renamed)
        self.api.objects[kind.name, _key(renamed)] = renamed


def doomed_cluster() -> FakeCluster:
    """Return a cluster whose canary is aborted by the poll that is due."""
    cluster = FakeCluster()
    cluster.until(cluster.ready)
    cluster.model(2, Behaviour(error_rate=0.3))
    while True:
        plan = decide(cluster.observe(), cluster.renderer, cluster.platform, cluster.now)
        rollout = plan.status.rollout if plan.status else None
        if rollout is not None and rollout.outcome is Outcome.ABORTED:
            return cluster
        cluster.settle()
        cluster.tick(5.0)


def shed_cluster() -> FakeCluster:
    """Return a cluster whose canary has just lost its pods at the weight of a step."""
    cluster = FakeCluster()
    cluster.until(cluster.ready)
    behaviour = Behaviour()
    cluster.model(2, behaviour)
    cluster.until(lambda: cluster.state is State.ANALYSING)
    behaviour.load_seconds = math.inf
    return cluster


def slow_cluster(now: float) -> FakeCluster:
    """Return a cluster at the time *now* whose due poll has slow custom queries."""
    cluster = FakeCluster()
    metric = {"name": "slow", "requests": _QUERY, "errors": _QUERY}
    cluster.spec["rollout"]["analysis"]["metrics"] = [metric]
    cluster.until(cluster.ready)
    cluster.model(2)
    cluster.until(lambda: cluster.state is State.ANALYSING)
    cluster.run(60.0)
    cluster.now = now
    return cluster


def shared_operator(server: SlowServer, doomed: FakeCluster, neighbours: int) -> Shared:
    """Return an operator with the victim and, queued, *neighbours* in another namespace."""
    shared = Shared(lambda: doomed.now, server.url)
    if neighbours:
        slow = slow_cluster(doomed.now)
        for number in range(neighbours):
            key = Key(NEIGHBOURS, f"slow{number}")
            shared.add(slow, key)
            shared.queue.add(key)
    shared.add(doomed, VICTIM)
    return shared


def add_new(shared: Shared, names: Iterable[str]) -> list[Key]:
    """Add, and queue, ModelDeployments of one namespace that have just been created."""
    keys = [Key(NEIGHBOURS, name) for name in names]
    for key in keys:
        shared.add(FakeCluster(), key)
        shared.queue.add(key)
    return keys


def bodies(cluster: FakeCluster) -> dict[Source, bytes]:
    """Return Prometheus's responses to the poll that is due, by source; empty if none is due."""
    reading = cluster.observe().reading
    responses: dict[Source, bytes] = {}
    if reading is None:
        return responses
    for source in (Source.ROUTER, Source.TRITON):
        answer = reading.answers[source]
        assert isinstance(answer, CounterSamples)
        responses[source] = body(
            [
                {
                    "metric": dict(series.labels),
                    "values": [[sample.at, str(sample.value)] for sample in series.samples],
                }
                for series in answer.series
            ]
        )
    return responses


def _owned(manifest: Manifest, name: str, revision: str, number: int) -> Manifest:
    labels = {MANAGED_BY: MANAGER, NAME_LABEL: VICTIM.name, REVISION_LABEL: revision}
    metadata = {"name": name, "labels": labels, "uid": f"{number}", "resourceVersion": "1"}
    return manifest | {"metadata": metadata}


def _key(manifest: Manifest) -> Key:
    return Key(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
