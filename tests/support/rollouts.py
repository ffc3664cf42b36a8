"""A small world for the machine alone: facts that obey its writes, and a clock that is moved."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from halimede.api.analysis import Analysis
from halimede.api.reasons import NotReadyReason, Verdict
from halimede.api.rollout import BlueGreen, Canary, Rollout, Step, Strategy
from halimede.api.status import Evidence, RevisionStatus, SourceEvidence, State, Status
from halimede.rollout.analysis_schedule import is_due
from halimede.rollout.command import pending
from halimede.rollout.context import Decision, Goal, RolloutContext
from halimede.rollout.facts import Facts, Route, Workload
from halimede.rollout.machine import advance
from halimede.rollout.sizing import traffic
from halimede.rollout.sizing.traffic import TrafficPlan

STEPS = (Step(weight=10, min_seconds=60), Step(weight=50, min_seconds=60))
ANALYSIS = Analysis(interval_seconds=15, warmup_seconds=30, settle_seconds=15)
SETTINGS = Rollout(
    canary=Canary(steps=STEPS, bake_seconds=60),
    analysis=ANALYSIS,
    blue_green=BlueGreen(bake_seconds=60),
)
BLUE_GREEN = SETTINGS.model_copy(update={"strategy": Strategy.BLUE_GREEN})
START = 1_000_000.0


@dataclass
class MachineWorld:
    """A cluster in which pods are ready at once, unless a test says otherwise."""

    target: str = "v1"
    generation: int = 1
    invalid: str | None = None
    settings: Rollout = SETTINGS
    replicas: int = 2
    by_pods: bool = False
    """There is no router: shares are those of the pods."""
    now: float = START
    status: Status = field(default_factory=Status)
    command: str | None = None
    verdict: Verdict | None = Verdict.PASS
    """What the judge says whenever it looks."""
    doubt: float = 0.0
    """Logarithm of the odds for an error rate over the ceiling, whenever it looks."""
    broken: dict[str, Workload] = field(default_factory=dict)
    """Revisions whose pods are not as they should be."""
    ending: int = 0
    """Pods that linger where none is wanted any more."""
    room: int | None = None
    """How many pods find a place in the cluster; None: as many as are asked for."""
    running: dict[str, int] = field(default_factory=dict)
    """How many pods of each revision have one."""
    accepted: bool = True
    refused: bool = False
    """The gateway says no to the route as it is."""
    effects: bool = True
    """False: whatever is decided is stored in the status, and then the process is killed."""
    cut: int | None = None
    """After so many writes of a pass the process is killed; None: it is not."""
    desired: dict[str, int] = field(default_factory=dict)
    route: tuple[tuple[str, int], ...] = ()
    arranged: TrafficPlan | None = None
    """What leads clients to the revisions, as it is live."""
    writes: list[tuple[tuple[str, int], ...]] = field(default_factory=list)
    last: Decision = field(default_factory=lambda: Decision(Status()))
    seen: list[State | None] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def workload(self, revision: str) -> Workload:
        """Tell how a revision's pods are."""
        pods = self.desired.get(revision)
        if pods is None:
            return Workload(revision)
        held = pods or self.ending
        if revision in self.broken:
            known = self.broken[revision]
            ready = min(known.ready_endpoints, pods)
            known = replace(known, revision=revision, exists=True, desired=pods, pods=held)
            return replace(known, ready_endpoints=ready)
        running = self.running.get(revision, 0)
        cause = NotReadyReason.UNSCHEDULABLE if running < pods else None
        known = Workload(revision, exists=True, desired=pods, ready_endpoints=running, pods=held)
        return replace(known, cause=cause)

    def facts(self) -> Facts:
        """Tell what the machine may know."""
        applied = self.arranged == self._arrangement()
        return Facts(
            workloads={revision: self.workload(revision) for revision in self.desired},
            route=Route(applied=applied, accepted=self.accepted, refused=self.refused),
            replicas=self.replicas,
        )

    def scene(self) -> RolloutContext:
        """Tell all that the machine may look at in this pass."""
        if self.status.target is None:
            first = RevisionStatus(revision=self.target, since=self.now)
            self.status = self.status.model_copy(update={"target": first})
        status, verdict = self.status, None
        rollout = status.rollout
        if rollout and self.verdict and is_due(rollout, self.settings.analysis, self.now):
            verdict = self.verdict
            known = rollout.evidence or Evidence()
            looks = known.bake_looks
            missing = self.now if verdict is Verdict.NO_DATA else None
            down = self.now if verdict is Verdict.METRICS_DOWN else None
            evidence = Evidence(
                no_data_since=missing and (known.no_data_since or missing),
                metrics_down_since=down and (known.metrics_down_since or down),
                verdict=verdict,
                message=f"The judge says {verdict}.",
                bake_looks=looks + (rollout.state is State.BAKING),
                sources=self._doubts(),
            )
            polled = rollout.model_copy(update={"evidence": evidence, "polled_at": self.now})
            status = status.model_copy(update={"rollout": polled})
        return RolloutContext(
            goal=Goal(
                self.target,
                self.settings,
                "uid:1",
                self.generation,
                self.invalid,
                no_router=self.by_pods,
            ),
            facts=self.facts(),
            status=status,
            command=pending(self.command, status),
            verdict=verdict,
            now=self.now,
        )

    def step(self) -> Decision:
        """Run one pass and let the world follow what it asks for."""
        scene = self.scene()
        self.last = advance(scene)
        self.status = self.last.status
        self.seen.append(self.status.rollout and self.status.rollout.state)
        self.reasons += [event.reason for event in self.last.events]
        if self.effects:
            self._follow(replace(scene, status=self.status))
        return self.last

    def run(self, passes: int, seconds: float = 5.0) -> None:
        """Run passes, some seconds apart."""
        for _ in range(passes):
            self.step()
            self.now += seconds

    def until(self, state: State | None, passes: int = 400) -> None:
        """Run passes until the rollout is in *state*; None: until none is under way."""
        for _ in range(passes):
            self.step()
            if self.state is state:
                return
            self.now += 5.0
        raise AssertionError(f"{state} was not reached; it was {self.seen[-1]}")

    def serve(self, revision: str = "v1") -> "MachineWorld":
        """Have a first revision deployed and serving."""
        self.target = revision
        self.run(3)
        assert self.status.stable is not None
        return self

    def ask_for(self, revision: str) -> "MachineWorld":
        """Have the spec ask for another revision."""
        self.target = revision
        self.generation += 1
        return self

    @property
    def state(self) -> State | None:
        """The state of the rollout under way."""
        return self.status.rollout and self.status.rollout.state

    @property
    def path(self) -> list[State | None]:
        """The states that were passed, without repetitions."""
        return [
            state
            for number, state in enumerate(self.seen)
            if number == 0 or state is not self.seen[number - 1]
        ]

    def _doubts(self) -> tuple[SourceEvidence, ...]:
        if not self.doubt:
            return ()
        held = SourceEvidence(source="Router", begun_at=START, watermark=self.now)
        return (held.model_copy(update={"log_abs": (self.doubt,)}),)

    def _follow(self, scene: RolloutContext) -> None:
        for write in self._writes(scene)[: self.cut]:
            write()
        self._schedule()

    def _writes(self, scene: RolloutContext) -> list[Callable[[], None]]:
        """List the writes of a pass in their order: Deployments, the route, deletions."""
        live, writes = traffic.revisions_with_workloads(self.status), list[Callable[[], None]]()
        for revision in sorted(live):
            pods = traffic.replicas(scene, revision, autoscaled=False) or 0
            if self.desired.get(revision) != pods:
                writes.append(partial(self.desired.__setitem__, revision, pods))
        arranged = self._arrangement()
        if arranged != self.arranged:
            writes.append(partial(self._set_route, arranged))
        gone = sorted(self.desired.keys() - live)
        writes.extend(partial(self.desired.__delitem__, one) for one in gone)
        return writes

    def _set_route(self, arranged: TrafficPlan) -> None:
        if arranged.weights != self.route:
            self.writes.append(arranged.weights)
        self.arranged, self.route = arranged, arranged.weights

    def _arrangement(self) -> TrafficPlan:
        asked = traffic.traffic_plan(self.status, self.settings)
        return replace(
            asked, header_routed=asked.header_routed and self.settings.canary.match is not None
        )

    def _schedule(self) -> None:
        """Find places for pods: who has one keeps it as long as the pod is wanted."""
        wanted = self.desired.items()
        self.running = {name: min(self.running.get(name, 0), pods) for name, pods in wanted}
        for name, pods in wanted:
            missing = pods - self.running[name]
            if self.room is not None:
                missing = min(missing, max(0, self.room - sum(self.running.values())))
            self.running[name] += missing


def unready(cause: NotReadyReason | None = None, *, ready: int = 0, restarts: int = 0) -> Workload:
    """Describe pods that are not as they should be."""
    return Workload("", ready_endpoints=ready, cause=cause, message="Because.", restarts=restarts)


def changed(settings: Rollout, **changes: object) -> Rollout:
    """Edit a part of the settings."""
    return settings.model_copy(update=changes)


def analysis(**changes: object) -> Rollout:
    """Edit how the canary is judged."""
    return changed(SETTINGS, analysis=SETTINGS.analysis.model_copy(update=changes))


def canary_at(state: State, world: MachineWorld | None = None) -> MachineWorld:
    """Bring a canary to a state."""
    world = (world or MachineWorld()).serve().ask_for("v2")
    world.until(state)
    return world
