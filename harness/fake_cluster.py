"""A cluster in memory: it executes plans, runs pods on a fake clock and serves users.

It has the parts of Kubernetes that decisions depend on: generations, uids, names that only one
object can have, an owner for a field that one manager drops, pods that load for a while,
endpoints, routes that a gateway accepts.
"""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from halimede.api.base import Manifest
from halimede.api.status import RolloutStatus, State, Status
from halimede.api.v1alpha1 import COMMAND_ANNOTATION, ModelDeployment
from halimede.plan.cluster_state import revision_of
from halimede.plan.foreign import ChildKey, child_key, is_owned_by
from halimede.plan.metrics_request import build_request
from halimede.plan.observed import Observed
from halimede.plan.plan import Event, Plan
from halimede.plan.planner import decide
from halimede.plan.renderer import Renderer
from halimede.plan.write_order import independent_of, waves
from halimede.render.platform import Platform
from harness.fake_behaviour import (
    Behaviour,
    accepted,
    claim_of,
    copies,
    digest_of,
    endpoint_slice,
    failing_fetcher,
    files_digest,
    option,
    pod_manifest,
    resolver_pod,
    unschedulable,
    written_by,
)
from harness.fake_objects import NameConflictError, metadata_of, stored, with_new_version
from harness.fake_prometheus import FakePrometheus
from harness.fake_spec import SPEC

RESYNC_SECONDS = 300.0
START = 1_700_000_000.0
MOST_BYTES = 14 * 1024
"""The limit of a status; a larger one fails the test."""
_RENDERER = Renderer()
UID = "0d6d2f1e-5b3f-4e43-9df3-0d5a3f7c5a11"
"""The ModelDeployment's."""
PLATFORM = Platform(fetch_image="registry.example/halimede-fetch:0.1.0")


@dataclass
class FakeCluster:
    """One namespace with one ModelDeployment, its operator, and users who send requests."""

    spec: Manifest = field(default_factory=lambda: copy.deepcopy(SPEC))
    now: float = START
    namespace: str = "ml"
    name: str = "digits"
    requests_per_second: float = 40.0
    gateway: bool = True
    """Whether a gateway accepts routes."""
    alive: bool = True
    """False: the operator stores the status and dies before it does anything else."""
    status: Manifest = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    generation: int = 1
    platform: Platform = PLATFORM
    """The operator's settings for rendering; another repository stands for another version."""
    renderer: Renderer = field(default=_RENDERER, repr=False)
    """Shared by all clusters, as most of them render the same."""
    inputs: dict[str, Manifest | None] = field(default_factory=dict)
    apply_errors: dict[str, str] = field(default_factory=dict)
    rejecting: str = ""
    """The API server's error for each new Deployment; empty: it accepts them."""
    unreachable: str = ""
    """The same, for an error that may disappear on a retry."""
    objects: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    """By the spec's storage URI."""
    lost_sources: dict[str, float] = field(default_factory=dict)
    """Since when there is nothing at an address: no pod can fetch it any more."""
    cached: set[tuple[str, str]] = field(default_factory=set)
    """The models in caches: the claim, and the digest of the manifest."""
    claims: set[str] = field(default_factory=lambda: {"models"})
    """The PersistentVolumeClaims that exist."""
    pods: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By name: the revision and when it started."""
    prometheus: FakePrometheus = field(default_factory=FakePrometheus)
    events: list[Event] = field(default_factory=list)
    writes: list[tuple[str, str]] = field(default_factory=list)
    """What was applied and deleted: `verb Kind/name`, and the uid of a deleted object."""
    conflicts: list[ChildKey] = field(default_factory=list)
    """The writes that the API server rejected: the name is in use, or the object is gone."""
    weights: list[dict[str, int]] = field(default_factory=list)
    """The route's weights, each time that they changed."""
    lost: float = 0.0
    """Requests that met no ready pod."""
    failed: float = 0.0
    """Requests that a revision answered with an error."""
    states: list[State | None] = field(default_factory=list)
    _known_foreign: set[ChildKey] = field(default_factory=set)
    """Foreign objects that writes of the operator have found."""
    _co_owned: set[str] = field(default_factory=set)
    _requeue_at: float = 0.0
    _interrupted: bool = False
    """The last plan found a taken name, and the rest of it was not executed."""
    _last_foreign_state: object = None
    _drift: int = 0

    # What tests do.

    def edit(self, change: Callable[[Manifest], Any]) -> "FakeCluster":
        """Edit the spec, as `kubectl edit` would."""
        change(self.spec)
        self.generation += 1
        return self

    def model(self, number: int, behaviour: Behaviour | None = None) -> "FakeCluster":
        """Change the spec to another model, whose pods behave as given."""
        uri = f"https://models.example/digits/{number}"
        if behaviour is not None:
            self.behaviours[uri] = behaviour
        return self.edit(lambda spec: spec["model"].update(storageUri=uri))

    def command(self, text: str) -> "FakeCluster":
        """Annotate the object with a command."""
        self.annotations[COMMAND_ANNOTATION] = text
        return self

    def tamper(self, kind: str, name: str) -> Manifest:
        """Return a live object for a change that the operator does not make."""
        self._drift += 1
        return with_new_version(self.objects[kind, name])

    def occupy(self, kind: str, name: str, **metadata: Any) -> Manifest:
        """Create an object that is not the operator's; return it."""
        manifest = {"kind": kind, "metadata": {"name": name, **metadata}, "spec": {}}
        made = stored(manifest, self.objects.get((kind, name)), self.now, "kubectl-create")
        self.objects[kind, name] = made
        return made

    def meddle(self, weight: int, manager: str = "argocd-controller") -> None:
        """Change the weight of the live route's last backend as another field manager."""
        route = self.tamper("HTTPRoute", self.name)
        for rule in route["spec"]["rules"]:
            rule["backendRefs"][-1]["weight"] = weight
        route["metadata"]["generation"] += 1
        ours = written_by("halimede", self.now, "parentRefs")
        route["metadata"]["managedFields"] = [ours, written_by(manager, self.now, "rules")]
        self._note_weights(route)

    def run(self, seconds: float) -> "FakeCluster":
        """Advance the clock by ``seconds``."""
        return self.until(lambda: False, seconds, fail=False)

    def until(
        self, there: Callable[[], object], seconds: float = 3600.0, *, fail: bool = True
    ) -> "FakeCluster":
        """Advance the clock until ``there`` is true, at most ``seconds``."""
        end = self.now + seconds
        while self.now < end:
            self.settle()
            if there():
                return self
            self.tick(5.0)
        assert not fail, f"it did not happen within {seconds} s: {self.explain()}"
        return self

    def explain(self) -> str:
        """Describe the current state, for a test that fails."""
        conditions = [
            f"{entry['type']}={entry['status']} {entry['reason']}: {entry['message']}"
            for entry in self.status.get("conditions", ())
        ]
        return "\n".join([str(self.states[-5:]), *conditions])

    # What tests read.

    @property
    def deployment(self) -> ModelDeployment:
        """The object as the operator reads it."""
        return ModelDeployment.from_manifest(self.manifest())

    def manifest(self) -> Manifest:
        """Return the object as the API server stores it."""
        return {
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "uid": UID,
                "generation": self.generation,
                "resourceVersion": "1",
                "annotations": self.annotations,
            },
            "spec": copy.deepcopy(self.spec),
            **({"status": self.status} if self.status else {}),
        }

    @property
    def parsed(self) -> Status:
        """The status."""
        return self.deployment.status

    @property
    def rollout(self) -> RolloutStatus | None:
        """The rollout under way."""
        return self.parsed.rollout

    @property
    def state(self) -> State | None:
        """The rollout's state."""
        return self.rollout.state if self.rollout else None

    @property
    def stable(self) -> str | None:
        """The stable revision."""
        return self.parsed.stable.revision if self.parsed.stable else None

    def condition(self, type_: str) -> tuple[str, str] | None:
        """The status and the reason of a condition; None if it is absent."""
        for condition_ in self.status.get("conditions", ()):
            if condition_["type"] == type_:
                return condition_["status"], condition_["reason"]
        return None

    def message(self, type_: str) -> str:
        """The message of a condition."""
        matching = [
            condition
            for condition in self.status.get("conditions", ())
            if condition["type"] == type_
        ]
        return str(matching[0]["message"]) if matching else ""

    def ready(self) -> bool:
        """Whether the resource is Ready in its current generation."""
        return self.condition("Ready") is not None and self.parsed.conditions[0].status == "True"

    @property
    def reasons(self) -> list[str]:
        """The reasons of all Events so far."""
        return [event.reason for event in self.events]

    def replicas(self, revision: str) -> int | None:
        """How many pods a revision's Deployment asks for; None if there is no Deployment."""
        deployment = self.objects.get(("Deployment", f"{self.name}-{revision}"))
        return deployment["spec"].get("replicas", 1) if deployment else None

    # What happens in the cluster.

    def observe(self) -> Observed:
        """Return the observed state, as the operator reads it."""
        md = self.deployment
        request = build_request(md, self.users_routes(md), self.renderer, self.now)
        self._known_foreign &= {key for key in self.objects if not self._is_ours(key)}
        return Observed(
            deployment=md,
            children=tuple(copy.deepcopy(self.objects[key]) for key in self._children()),
            pods=tuple(self._pod(name) for name in self.pods),
            resolvers=self._resolvers(),
            endpoint_slices=self._slices(),
            inputs=self.inputs,
            routes=self.users_routes(md),
            reading=self.prometheus.read(request) if request else None,
            apply_errors=self.apply_errors,
            rejected=frozenset(self.apply_errors if self.rejecting else ()),
            foreign=tuple(metadata_of(self.objects[key]) for key in sorted(self._known_foreign)),
        )

    def users_routes(self, _: ModelDeployment) -> dict[str, Manifest | None]:
        """Return the users' HTTPRoutes that the operator needs: none here."""
        return {}

    def reconcile(self) -> Plan:
        """Run one reconcile of the operator."""
        observed = self.observe()
        plan = decide(observed, self.renderer, self.platform, self.now)
        self.renderer.sweep((self.namespace, self.name), observed.children)
        return self.obey(plan)

    def obey(self, plan: Plan) -> Plan:
        """Store the status, then write the rest, if the operator lives that long."""
        self._known_foreign &= plan.taken
        if plan.status is not None:
            self.status = plan.status.to_manifest()
            assert len(json.dumps(self.status, separators=(",", ":"))) < MOST_BYTES
            state = plan.status.rollout.state if plan.status.rollout else None
            if not self.states or self.states[-1] is not state:
                self.states.append(state)
        if self.alive:
            self.execute(plan)
        return plan

    def execute(self, plan: Plan) -> None:
        """Execute the plan's writes, except the status.

        Once a name is found to be taken, the next reconcile plans the rest.
        """
        for manifest in plan.handovers:
            name = manifest["metadata"]["name"]
            live = with_new_version(self.objects["Deployment", name])
            live["spec"]["replicas"] = manifest["spec"]["replicas"]
            self._co_owned.add(name)
        if self.rejecting or self.unreachable:
            self.apply_errors.clear()
        self.events.extend(plan.events)
        known, missing = set(self._known_foreign), set[ChildKey]()
        for wave in waves(plan.applies):
            for manifest in independent_of(wave, missing):
                self._write(manifest)
            if self._known_foreign != known:
                self._interrupted = True
                return
            missing |= {child_key(one) for one in wave} - self.objects.keys()
        for ref in plan.deletes:
            assert self.objects[ref.kind, ref.name]["metadata"]["uid"] == ref.uid
            self.writes.append((f"delete {ref.kind}/{ref.name}", ref.uid))
            del self.objects[ref.kind, ref.name]

    def settle(self) -> None:
        """Reconcile as long as there is an event for the operator, or a requeue is due.

        Its own writes are no events to it.
        """
        for _ in range(30):
            self._controllers()
            state = self._news()
            if state == self._last_foreign_state and self.now < self._requeue_at:
                return
            self._last_foreign_state = state
            self._interrupted = False
            plan = self.reconcile()
            wait = RESYNC_SECONDS if plan.requeue_after is None else plan.requeue_after
            self._requeue_at = self.now + (0.0 if self._interrupted else wait)
        raise AssertionError(f"it does not settle: {plan}")

    def _news(self) -> object:
        """Return everything that others than the operator change."""
        answers = [one.get("status") for one in self.objects.values()]
        ready = {name: self._is_ready(name) for name in self.pods}
        containers = [
            (one.container, one.condition, one.load_seconds) for one in self.behaviours.values()
        ]
        own = (self.generation, self.annotations, self.apply_errors, sorted(self._children()))
        answers += self._resolvers()
        return copy.deepcopy((own, answers, ready, containers, self._drift))

    def tick(self, seconds: float) -> None:
        """Let users send requests, and pods load, for ``seconds``."""
        self._serve(seconds)
        self.now += seconds
        self._controllers()
        self.prometheus.scrape(self.now)

    def _write(self, manifest: Manifest) -> None:
        """Create or apply a child; after a conflict, read the object that has its name."""
        kind, name = key = child_key(manifest)
        missing = key not in self.objects
        if missing and kind == "Deployment" and (error := self.rejecting or self.unreachable):
            self.apply_errors[f"{kind}/{name}"] = error
            return
        try:
            self._store(manifest)
        except NameConflictError:
            self.conflicts.append(key)
            if not self._is_ours(key):
                self._known_foreign.add(key)
                return
            uid = self.objects[key]["metadata"]["uid"]
            self._store(manifest | {"metadata": manifest["metadata"] | {"uid": uid}})

    def _store(self, manifest: Manifest) -> None:
        kind, name = key = child_key(manifest)
        live = self.objects.get(key)
        if live is not None and live.get("immutable"):
            same = all(live.get(part) == manifest.get(part) for part in ("data", "binaryData"))
            assert same, f"the API server rejects another content of the immutable {kind}/{name}"
        new = stored(manifest, live, self.now, "halimede")
        if kind == "Deployment" and "replicas" not in new["spec"]:
            kept = live and name in self._co_owned
            new["spec"]["replicas"] = live["spec"]["replicas"] if live and kept else 1
        self.writes.append((f"apply {kind}/{name}", ""))
        self.objects[key] = new
        if key == ("HTTPRoute", self.name):
            self._note_weights(new)

    def _children(self) -> list[ChildKey]:
        return [key for key in self.objects if self._is_ours(key)]

    def _is_ours(self, key: ChildKey) -> bool:
        return key in self.objects and is_owned_by(self.objects[key], UID)

    def _note_weights(self, route: Manifest) -> None:
        weights = {
            backend["name"].removeprefix(f"{self.name}-"): backend["weight"]
            for backend in route["spec"]["rules"][0]["backendRefs"]
        }
        if not self.weights or self.weights[-1] != weights:
            self.weights.append(weights)

    def _controllers(self) -> None:
        """Act as the cluster's controllers: pods for Deployments, statuses for routes."""
        desired = set()
        for kind, name in self._children():
            live = self.objects[kind, name]
            if kind == "Deployment":
                desired |= {f"{name}-{number}" for number in range(live["spec"]["replicas"])}
                revision = revision_of(live) or ""
                for pod in sorted(desired - self.pods.keys()):
                    self.pods[pod] = (revision, self.now)
            if kind == "HTTPRoute" and self.gateway:
                live["status"] = {
                    "parents": [accepted(live, ref) for ref in live["spec"]["parentRefs"]]
                }
        for pod in self.pods.keys() - desired:
            del self.pods[pod]

    def _behaviour(self, revision: str) -> Behaviour:
        """Return how a revision behaves, by the source in its fetcher's arguments.

        A behaviour of other content than that of the revision is not its own.
        """
        deployment = self.objects.get(("Deployment", f"{self.name}-{revision}"))
        text = str(deployment)
        behaviours = [
            behaviour
            for uri, behaviour in self.behaviours.items()
            if (
                f"'{uri}'" in text
                and (not behaviour.content or digest_of(behaviour.content) in text)
            )
            or f"'{files_digest(uri, behaviour)}'" in text
        ]
        return behaviours[0] if behaviours else Behaviour()

    def _is_ready(self, name: str) -> bool:
        revision, started = self.pods[name]
        behaviour = self._behaviour(revision)
        bad = behaviour.container or behaviour.condition or not self._has_files(revision, started)
        return not bad and self.now - started >= behaviour.load_seconds

    def _has_files(self, revision: str, started: float) -> bool:
        """Whether a pod that started then has found its files."""
        deployment = self.objects.get(("Deployment", f"{self.name}-{revision}"))
        if deployment is None:  # its pods are about to be deleted
            return True
        args = deployment["spec"]["template"]["spec"]["initContainers"][0]["args"]
        if args[0] == "verify":
            return (claim_of(deployment), option(args, "--files")) in self.cached
        return started < self.lost_sources.get(option(args, "--source") or "", started + 1)

    def _pod(self, name: str) -> Manifest:
        revision, started = self.pods[name]
        behaviour = self._behaviour(revision)
        return pod_manifest(name, revision, started, behaviour, ready=self._is_ready(name))

    def _resolvers(self) -> tuple[Manifest, ...]:
        """Return the pods of the Jobs that determine digests."""
        found = []
        for kind, name in self._children():
            if kind == "Job":
                found += self._resolver(self.objects[kind, name])
        return tuple(found)

    def _resolver(self, job: Manifest) -> list[Manifest]:
        """Return the pod of a Job, if it has one; it fills the cache once it is done."""
        args = job["spec"]["template"]["spec"]["containers"][0]["args"]
        uri = option(args, "--source") or ""
        behaviour = self.behaviours.get(uri, Behaviour())
        claim, files = claim_of(job), files_digest(uri, behaviour)
        if claim is not None and claim not in self.claims:
            return [resolver_pod(job, uri, unschedulable(claim), done=False)]
        in_cache = option(args, "--sha256") and (claim, files) in self.cached
        if uri in self.lost_sources and not in_cache:
            lost = Behaviour(resolver=failing_fetcher(1, "404"))
            return [resolver_pod(job, uri, lost, done=False)]
        started = datetime.fromisoformat(job["metadata"]["creationTimestamp"]).timestamp()
        done = self.now >= started + behaviour.resolve_seconds
        if done and claim is not None and behaviour.resolver is None:
            self.cached.add((claim, files))
        pod = resolver_pod(job, uri, behaviour, done=done)
        return [pod] if behaviour.has_job_pod else []

    def _slices(self) -> tuple[Manifest, ...]:
        slices = []
        for kind, name in self._children():
            if kind == "Deployment":
                pods = [pod for pod in self.pods if pod.rpartition("-")[0] == name]
                slices.append(endpoint_slice(name, {pod: self._is_ready(pod) for pod in pods}))
        return tuple(slices)

    def _serve(self, seconds: float) -> None:
        """Let the revisions answer users' requests, by the weights of the route."""
        weights = self.weights[-1] if self.weights else {}
        total = self.requests_per_second * seconds
        for revision, weight in weights.items():
            requests = total * weight / 100
            errors = self._answer(revision, requests)
            if errors is None:
                self.lost += requests
            else:
                self.failed += errors
        for copy_ in copies(self.objects.get(("HTTPRoute", self.name))):
            revision = copy_["backendRef"]["name"].removeprefix(f"{self.name}-")
            self._answer(revision, total * copy_.get("percent", 100) / 100)

    def _answer(self, revision: str, requests: float) -> float | None:
        """Let a revision answer requests; return its errors, None if it has no ready pod."""
        ready = [
            pod
            for pod, (owner, _) in self.pods.items()
            if owner == revision and self._is_ready(pod)
        ]
        if not ready:
            return None
        behaviour = self._behaviour(revision)
        errors = requests * (behaviour.error_rate + behaviour.hang_rate)
        for pod in ready:
            part = requests / len(ready)
            self.prometheus.count(
                f"{self.namespace}_{self.name}-{revision}_8000",
                pod,
                part,
                part * behaviour.error_rate,
                client_errors=part * behaviour.client_error_rate,
                left=part * behaviour.hang_rate,
            )
        return errors
