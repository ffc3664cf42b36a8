"""A small world for the state machine: facts that follow its writes, and a settable clock."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from halimede.api.analysis import Analysis
from halimede.api.reasons import NotReadyReason, Verdict
from halimede.api.rollout import BlueGreen, Canary, Rollout, Step, Strategy
from halimede.api.status import Evidence, RevisionStatus, SourceEvidence, State, Status
from halimede.rollout.analysis_schedule import is_due
from halimede.rollout.command import pending
from halimede.rollout.context import Decision, Goal, RolloutContext, Unresolved
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
BLUE_GREEN = SETTINGS.evolve(strategy=Strategy.BLUE_GREEN)
START = 1_000_000.0


@dataclass
class MachineWorld:
    """A cluster in which pods are ready at once unless a test changes that."""

    target: str = "v1"
    generation: int = 1
    invalid: str | None = None
    unresolved: Unresolved | None = None
    """The digest of the model that the spec asks for is not known."""
    settings: Rollout = SETTINGS
    replicas: int = 2
    by_pods: bool = False
    """No router: weights follow the replica counts."""
    now: float = START
    status: Status = field(default_factory=Status)
    command: str | None = None
    commander: str | None = None
    """Who gives the commands."""
    verdict: Verdict | None = Verdict.PASS
    """The judge's verdict in every poll."""
    doubt: float = 0.0
    """Logarithm of the odds for an error rate over the ceiling in every poll."""
    broken: dict[str, Workload] = field(default_factory=dict)
    """Workloads of revisions whose pods are not all ready."""
    ending: int = 0
    """Pods that still terminate when none is desired."""
    room: int | None = None
    """Number of pods that fit into the cluster. None: all."""
    running: dict[str, int] = field(default_factory=dict)
    """Number of scheduled pods of each revision."""
    invalid_records: dict[str, str] = field(default_factory=dict)
    """Revisions with an invalid record, and why."""
    accepted: bool = True
    rejected: bool = False
    """The gateway rejects the present route."""
    effects: bool = True
    """False: the process is killed after each write of the status."""
    cut: int | None = None
    """Number of writes in a pass before the process is killed. None: it is not killed."""
    desired: dict[str, int] = field(default_factory=dict)
    route: tuple[tuple[str, int], ...] = ()
    arranged: TrafficPlan | None = None
    """The live traffic plan."""
    writes: list[tuple[tuple[str, int], ...]] = field(default_factory=list)
    last: Decision = field(default_factory=lambda: Decision(Status()))
    seen: list[State | None] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def workload(self, revision: str) -> Workload:
        """Return the workload of a revision."""
        pods = self.desired.get(revision)
        if pods is None:
            return Workload(revision)
        existing = pods or self.ending
        if revision in self.broken:
            workload = self.broken[revision]
            ready = min(workload.ready_endpoints, pods)
            workload = replace(
                workload, revision=revision, exists=True, desired=pods, pods=existing
            )
            return replace(workload, ready_endpoints=ready)
        running = self.running.get(revision, 0)
        cause = NotReadyReason.UNSCHEDULABLE if running < pods else None
        workload = Workload(
            revision, exists=True, desired=pods, ready_endpoints=running, pods=existing
        )
        return replace(workload, cause=cause)

    def facts(self) -> Facts:
        """Return the facts for the state machine."""
        applied = self.arranged == self._traffic_plan()
        return Facts(
            workloads={revision: self.workload(revision) for revision in self.desired},
            route=Route(applied=applied, accepted=self.accepted, rejected=self.rejected),
            replicas=self.replicas,
            invalid_records=dict(self.invalid_records),
        )

    @property
    def last_token(self) -> int:
        """The token of the last executed command; 0: there is none."""
        return self.status.commands[-1].token if self.status.commands else 0

    def context(self) -> RolloutContext:
        """Return the context of this pass, with a new verdict if a poll is due."""
        if self.status.target is None:
            first = RevisionStatus(revision=self.target, since=self.now)
            self.status = self.status.evolve(target=first)
        status, verdict = self.status, None
        rollout = status.rollout
        if rollout and self.verdict and is_due(rollout, self.settings, self.now):
            verdict = self.verdict
            previous = rollout.evidence or Evidence()
            polls = previous.bake_polls
            missing = self.now if verdict is Verdict.NO_DATA else None
            down = self.now if verdict is Verdict.METRICS_DOWN else None
            evidence = Evidence(
                no_data_since=missing and (previous.no_data_since or missing),
                metrics_down_since=down and (previous.metrics_down_since or down),
                verdict=verdict,
                message=f"The judge says {verdict}.",
                bake_polls=polls + (rollout.state is State.BAKING),
                sources=self._doubts(),
            )
            polled = rollout.evolve(evidence=evidence, polled_at=self.now)
            status = status.evolve(rollout=polled)
        return RolloutContext(
            goal=Goal(
                self.target,
                self.settings,
                "uid:1",
                self.generation,
                self.invalid,
                self.unresolved,
                no_router=self.by_pods,
            ),
            facts=self.facts(),
            status=status,
            command=pending(self.command, status, self.commander),
            verdict=verdict,
            now=self.now,
        )

    def step(self) -> Decision:
        """Run one pass and apply its writes to the world."""
        ctx = self.context()
        self.last = advance(ctx)
        self.status = self.last.status
        self.seen.append(self.status.rollout and self.status.rollout.state)
        self.reasons += [event.reason for event in self.last.events]
        if self.effects:
            self._follow(replace(ctx, status=self.status))
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

    def until_killed(self, state: State | None, passes: int = 400) -> None:
        """Run each pass twice, killed at first before its effects, until *state* is stored so."""
        for _ in range(passes):
            self.effects = False
            self.step()
            self.effects = True
            if self.state is state:
                return
            self.step()
            self.now += 5
        raise AssertionError(f"{state} was not reached; it was {self.seen[-1]}")

    def serve(self, revision: str = "v1") -> "MachineWorld":
        """Deploy a first revision until it serves."""
        self.target = revision
        self.run(3)
        assert self.status.stable is not None
        return self

    def ask_for(self, revision: str) -> "MachineWorld":
        """Set another revision in the spec."""
        self.target = revision
        self.generation += 1
        return self

    @property
    def state(self) -> State | None:
        """The state of the rollout under way."""
        return self.status.rollout and self.status.rollout.state

    @property
    def bake_began(self) -> float:
        """When the weight of the bake was live."""
        assert self.status.rollout is not None
        return self.status.rollout.last_progress_at

    @property
    def path(self) -> list[State | None]:
        """The states so far, without repetitions."""
        return [
            state
            for number, state in enumerate(self.seen)
            if number == 0 or state is not self.seen[number - 1]
        ]

    def _doubts(self) -> tuple[SourceEvidence, ...]:
        if not self.doubt:
            return ()
        evidence = SourceEvidence(source="Router", begun_at=START, watermark=self.now)
        return (evidence.evolve(log_abs=(self.doubt,)),)

    def _follow(self, ctx: RolloutContext) -> None:
        for write in self._writes(ctx)[: self.cut]:
            write()
        self._schedule()

    def _writes(self, ctx: RolloutContext) -> list[Callable[[], None]]:
        """Return the writes of a pass in order: Deployments, the route, deletions."""
        live, writes = traffic.revisions_with_workloads(self.status), list[Callable[[], None]]()
        for revision in sorted(live):
            pods = traffic.replicas(ctx, revision, autoscaled=False) or 0
            if self.desired.get(revision) != pods:
                writes.append(partial(self.desired.__setitem__, revision, pods))
        plan = self._traffic_plan()
        if plan != self.arranged:
            writes.append(partial(self._set_route, plan))
        gone = sorted(self.desired.keys() - live)
        writes.extend(partial(self.desired.__delitem__, one) for one in gone)
        return writes

    def _set_route(self, plan: TrafficPlan) -> None:
        if plan.weights != self.route:
            self.writes.append(plan.weights)
        self.arranged, self.route = plan, plan.weights

    def _traffic_plan(self) -> TrafficPlan:
        plan = traffic.traffic_plan(self.status, self.settings)
        return replace(
            plan, header_routed=plan.header_routed and self.settings.canary.match is not None
        )

    def _schedule(self) -> None:
        """Schedule pods: a scheduled pod keeps its place as long as it is desired."""
        desired = self.desired.items()
        self.running = {name: min(self.running.get(name, 0), pods) for name, pods in desired}
        for name, pods in desired:
            missing = pods - self.running[name]
            if self.room is not None:
                missing = min(missing, max(0, self.room - sum(self.running.values())))
            self.running[name] += missing


def unready(cause: NotReadyReason | None = None, *, ready: int = 0, restarts: int = 0) -> Workload:
    """Return a workload whose pods are not all ready."""
    return Workload("", ready_endpoints=ready, cause=cause, message="Because.", restarts=restarts)


def changed(settings: Rollout, **changes: object) -> Rollout:
    """Return a copy of the settings with changes."""
    return settings.evolve(**changes)


def analysis(**changes: object) -> Rollout:
    """Return settings with a changed analysis."""
    return changed(SETTINGS, analysis=SETTINGS.analysis.evolve(**changes))


def canary_at(state: State, world: MachineWorld | None = None) -> MachineWorld:
    """Run a canary to *state*."""
    world = (world or MachineWorld()).serve().ask_for("v2")
    world.until(state)
    return world
