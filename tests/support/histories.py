"""Random histories of a ModelDeployment for the state machine alone, without a cluster."""

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from halimede.api.analysis import OnTimeout
from halimede.api.model_status import ModelStatus
from halimede.api.reasons import NotReadyReason, Reason, Verdict
from halimede.api.rollout import (
    BlueGreen,
    Canary,
    CapacityMode,
    Mirror,
    OnStableDown,
    Scale,
    Step,
    StepPause,
    Strategy,
)
from halimede.rollout.command import Verb
from halimede.rollout.context import Unresolved, WaitReason
from halimede.rollout.requeue import requeue_after
from tests.support.invariants import Watcher
from tests.support.recorder import Step as Decision
from tests.support.recorder import recorded
from tests.support.rollouts import MachineWorld, unready

REVISIONS = ("v1", "v2", "v3")
PAUSES = (None, None, StepPause(seconds=20), StepPause())
MIRRORS = (None, None, Mirror(min_seconds=30))
SCALES = (None, None, Scale(replicas=1), Scale(replicas=5), Scale(percent=50))
CONTROLS = st.sampled_from((None, 0, 30, 50))
CAUSES = (None, NotReadyReason.CRASH_LOOP, NotReadyReason.UNSCHEDULABLE, NotReadyReason.LOADING)
RARELY = st.integers(0, 9)
"""Zero is the rare case."""
SOON = {"no_data_timeout_seconds": 40, "metrics_timeout_seconds": 40}
"""Short timeouts, so that they end within a history."""
LONGEST_NAP = 7200.0
"""Maximum seconds between two passes."""


class History(RuleBasedStateMachine):
    """One random history."""

    @initialize(
        passes=st.integers(0, 30),
        strategy=st.sampled_from(Strategy),
        capacity=st.sampled_from(CapacityMode),
        down=st.sampled_from(OnStableDown),
        policies=st.tuples(*[st.sampled_from(OnTimeout)] * 3),
        replicas=st.integers(1, 6),
        room=st.sampled_from((None, None, 0, 1, 3)),
        by_pods=st.booleans(),
        control=CONTROLS,
    )
    def begin(
        self,
        passes: int,
        strategy: Strategy,
        capacity: CapacityMode,
        down: OnStableDown,
        policies: tuple[OnTimeout, OnTimeout, OnTimeout],
        replicas: int,
        room: int | None,
        *,
        by_pods: bool,
        control: int | None,
    ) -> None:
        """Start with a first revision that serves and a second one that is rolled out."""
        self.world = MachineWorld(replicas=replicas, by_pods=by_pods).serve().ask_for("v2")
        self.world.room = None if room is None else replicas + room
        self.watcher = Watcher(self.world)
        names = ("on_no_data", "on_inconclusive", "on_metrics_down")
        analysis = self.world.settings.analysis.evolve(
            **dict(zip(names, policies, strict=True)), **SOON
        )
        replacing = capacity is CapacityMode.REPLACE
        self._set(
            analysis=analysis,
            strategy=Strategy.CANARY if replacing else strategy,
            capacity_mode=capacity,
            on_stable_down=down,
            blue_green=BlueGreen(
                bake_seconds=60,
                auto_promote=policies[0] is OnTimeout.PAUSE,
                control_percent=control or 0,
            ),
            pause_timeout_seconds=600,
            capacity_timeout_seconds=60,
        )
        for _ in range(passes):
            self._reconcile_and_sleep()

    @rule(revision=st.sampled_from(REVISIONS), chance=RARELY)
    def ask_for(self, revision: str, chance: int) -> None:
        """Set another revision, sometimes during a rollout."""
        if self.world.state is None or chance == 0:
            self.world.ask_for(revision)

    @rule(
        weights=st.lists(st.integers(0, 100), min_size=1, max_size=4, unique=True),
        pause=st.sampled_from(PAUSES),
        scale=st.sampled_from(SCALES),
        mirror=st.sampled_from(MIRRORS),
        control=CONTROLS,
    )
    def edit_steps(
        self,
        weights: list[int],
        pause: StepPause | None,
        scale: Scale | None,
        mirror: Mirror | None,
        control: int | None,
    ) -> None:
        """Edit the steps."""
        steps = (
            Step(weight=weight, min_seconds=30, max_seconds=90, pause=pause, scale=scale)
            for weight in sorted(weights)
        )
        self._set(canary=Canary(steps=tuple(steps), mirror=mirror, control_percent=control))

    @rule(
        strategy=st.sampled_from(Strategy), capacity=st.sampled_from(CapacityMode), chance=RARELY
    )
    def edit_rollout(self, strategy: Strategy, capacity: CapacityMode, chance: int) -> None:
        """Edit the strategy and the capacity mode, and sometimes pause the rollout."""
        if capacity is CapacityMode.REPLACE:
            strategy = Strategy.CANARY
        self._set(strategy=strategy, capacity_mode=capacity, paused=chance == 0)

    @rule(chance=RARELY)
    def break_the_spec(self, chance: int) -> None:
        """Make the spec invalid, or valid again."""
        self.world.invalid = "spec.model: broken." if chance == 0 else None

    @rule(chance=RARELY, failed=st.booleans())
    def lose_the_digest(self, chance: int, *, failed: bool) -> None:
        """Ask for a model whose digest is not known, or learn the digest."""
        if chance in (0, 1):
            why = WaitReason(Reason.UNRESOLVED if failed else Reason.RESOLVING, "Wait")
            self.world.unresolved = Unresolved("job", why, failed=failed)
            model = ModelStatus(source="s", failed_job="job" if failed else None)
            self.world.status = self.world.status.evolve(model=model)
        else:
            self.world.unresolved = None

    @rule(replicas=st.integers(1, 12), chance=RARELY)
    def scale(self, replicas: int, chance: int) -> None:
        """Edit the replicas, sometimes to zero."""
        self.world.replicas = replicas if chance else 0

    @rule(
        revision=st.sampled_from(REVISIONS),
        ready=st.integers(0, 3),
        cause=st.sampled_from(CAUSES),
        restarts=st.integers(0, 4),
    )
    def lose_pods(
        self, revision: str, ready: int, cause: NotReadyReason | None, restarts: int
    ) -> None:
        """Lose pods of a revision."""
        self.world.broken[revision] = unready(cause, ready=ready, restarts=restarts)

    @rule(revision=st.sampled_from(REVISIONS))
    def heal(self, revision: str) -> None:
        """Restore the pods of a revision."""
        self.world.broken.pop(revision, None)

    @rule(revision=st.sampled_from(REVISIONS), chance=RARELY)
    def replace_record(self, revision: str, chance: int) -> None:
        """Replace the record of a revision, or restore all of them."""
        if chance == 0:
            self.world.invalid_records[revision] = "It was replaced"
        else:
            self.world.invalid_records.clear()

    @rule(
        verdict=st.sampled_from((None, *Verdict, *[Verdict.PASS] * 4)),
        doubt=st.sampled_from((0.0, 0.0, 0.0, 2.0)),
    )
    def judge(self, verdict: Verdict | None, doubt: float) -> None:
        """Change the judge's verdict."""
        self.world.verdict, self.world.doubt = verdict, doubt

    @rule(chance=RARELY)
    def answer(self, chance: int) -> None:
        """Change whether the gateway accepts the route."""
        self.world.accepted = chance != 0

    @rule(
        verb=st.sampled_from((*Verb, Verb.PAUSE, Verb.RESUME, Verb.PROMOTE_FULL, "dance")),
        ahead=st.integers(-1, 9),
    )
    def command(self, verb: str, ahead: int) -> None:
        """Give a command with a token after the last one, or rarely not after it."""
        self.world.command = f"{verb}@{max(0, self.world.last_token + ahead)}"

    @rule(seconds=st.sampled_from((-3600.0, -1.0, 1.0, 15.0, 61.0, 700.0, 7200.0)))
    def wait(self, seconds: float) -> None:
        """Let time pass, or set the clock back."""
        self.world.now += seconds

    @rule(passes=st.integers(1, 12))
    def reconcile(self, passes: int) -> None:
        """Run some passes, each at its requeue time."""
        for _ in range(passes):
            self._reconcile_and_sleep()

    @rule(writes=st.integers(0, 4), passes=st.integers(0, 8), lost=st.sampled_from((None, 0, 1)))
    def be_killed(self, writes: int, passes: int, lost: int | None) -> None:
        """Kill the operator after some writes of a pass, and perhaps lose pods."""
        for _ in range(passes):
            self._reconcile_and_sleep()
        self.world.cut = writes
        self._reconcile()
        self.world.cut = None
        rollout = self.world.status.rollout
        if lost is not None and rollout is not None:
            self.world.broken[rollout.revision] = unready(ready=lost)
        self._reconcile()

    def teardown(self) -> None:
        """I11, I5: with a healthy cluster and no more edits, every rollout ends and stays so."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.broken.clear()
        world.invalid_records.clear()
        world.accepted, world.invalid, world.room = True, None, None
        world.unresolved = None
        world.replicas, world.verdict = max(2, world.replicas), Verdict.PASS
        world.doubt = 0.0
        self._set(paused=False)
        world.command = f"resume@{world.last_token + 1}"
        self._reconcile()
        if world.status.rollout:
            latest = max(world.now, world.status.rollout.last_progress_at)
            world.now = max(latest, world.status.rollout.state_since) + 3600
        idle = 0
        for _ in range(300):
            if world.last.wait and world.last.wait.reason == Reason.PAUSED:
                world.command = f"promote@{world.last_token + 1}"
            self._reconcile_and_sleep()
            idle = 0 if world.state else idle + 1
            if idle == 3:
                break
        assert world.state is None, f"it stays in {world.state}: {world.last.wait}"
        self.watcher.rests()

    def _set(self, **changes: object) -> None:
        self.world.settings = self.world.settings.evolve(**changes)

    def _reconcile(self) -> None:
        self.watcher.reconcile()

    def _reconcile_and_sleep(self) -> None:
        self._reconcile()
        delay = requeue_after(self.world.status, self.world.settings, self.world.now)
        self.world.now += min(max(1.0, delay or 5.0), LONGEST_NAP)


def run(number: int, examples: int) -> set[Decision]:
    """Run some histories, with *number* as seed, and return the recorded decisions."""
    with recorded() as seen:
        run_state_machine_as_test(
            seed(number)(History),
            settings=settings(
                max_examples=examples,
                stateful_step_count=12,
                # Worker processes do not load the profile of tests/conftest.py.
                deadline=None,
                database=None,
                # Report a failure without shrinking it, which would take minutes.
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    return seen
