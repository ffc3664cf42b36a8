"""Random histories of a ModelDeployment, on a world of facts alone, and what must always hold."""

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from halimede.api.analysis import OnTimeout
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
"""Zero means yes."""
SOON = {"no_data_timeout_seconds": 40, "metrics_timeout_seconds": 40}
"""Short patience, so that it ends within a history."""
LONGEST_NAP = 7200.0
"""Seconds between two looks, at most."""


class History(RuleBasedStateMachine):
    """One random history."""

    @initialize(
        passes=st.integers(0, 30),
        strategy=st.sampled_from(Strategy),
        capacity=st.sampled_from(CapacityMode),
        down=st.sampled_from(OnStableDown),
        wishes=st.tuples(*[st.sampled_from(OnTimeout)] * 3),
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
        wishes: tuple[OnTimeout, OnTimeout, OnTimeout],
        replicas: int,
        room: int | None,
        *,
        by_pods: bool,
        control: int | None,
    ) -> None:
        """Have a first revision serve, and a second one on its way."""
        self.world = MachineWorld(replicas=replicas, by_pods=by_pods).serve().ask_for("v2")
        self.world.room = None if room is None else replicas + room
        self.watcher = Watcher(self.world)
        names = ("on_no_data", "on_inconclusive", "on_metrics_down")
        analysis = self.world.settings.analysis.model_copy(
            update={**dict(zip(names, wishes, strict=True)), **SOON}
        )
        replacing = capacity is CapacityMode.REPLACE
        self._set(
            analysis=analysis,
            strategy=Strategy.CANARY if replacing else strategy,
            capacity_mode=capacity,
            on_stable_down=down,
            blue_green=BlueGreen(
                bake_seconds=60,
                auto_promote=wishes[0] is OnTimeout.PAUSE,
                control_percent=control or 0,
            ),
            pause_timeout_seconds=600,
            capacity_timeout_seconds=60,
        )
        for _ in range(passes):
            self._look_and_sleep()

    @rule(revision=st.sampled_from(REVISIONS), chance=RARELY)
    def ask_for(self, revision: str, chance: int) -> None:
        """The spec is edited, now and then in the middle of a rollout."""
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
        """The steps are edited."""
        steps = (
            Step(weight=one, min_seconds=30, max_seconds=90, pause=pause, scale=scale)
            for one in sorted(weights)
        )
        self._set(canary=Canary(steps=tuple(steps), mirror=mirror, control_percent=control))

    @rule(
        strategy=st.sampled_from(Strategy), capacity=st.sampled_from(CapacityMode), chance=RARELY
    )
    def edit_rollout(self, strategy: Strategy, capacity: CapacityMode, chance: int) -> None:
        """The way of rolling out is edited, and now and then it is paused."""
        if capacity is CapacityMode.REPLACE:
            strategy = Strategy.CANARY
        self._set(strategy=strategy, capacity_mode=capacity, paused=chance == 0)

    @rule(chance=RARELY)
    def break_the_spec(self, chance: int) -> None:
        """The spec cannot be understood for a while."""
        self.world.invalid = "spec.model: broken." if chance == 0 else None

    @rule(replicas=st.integers(1, 12), chance=RARELY)
    def scale(self, replicas: int, chance: int) -> None:
        """The number of pods is edited, now and then to none."""
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
        """Pods of a revision are lost."""
        self.world.broken[revision] = unready(cause, ready=ready, restarts=restarts)

    @rule(revision=st.sampled_from(REVISIONS))
    def heal(self, revision: str) -> None:
        """Pods of a revision come back."""
        self.world.broken.pop(revision, None)

    @rule(
        verdict=st.sampled_from((None, *Verdict, *[Verdict.PASS] * 4)),
        doubt=st.sampled_from((0.0, 0.0, 0.0, 2.0)),
    )
    def judge(self, verdict: Verdict | None, doubt: float) -> None:
        """The judge changes its mind."""
        self.world.verdict, self.world.doubt = verdict, doubt

    @rule(chance=RARELY)
    def answer(self, chance: int) -> None:
        """The gateway changes its mind."""
        self.world.accepted = chance != 0

    @rule(
        verb=st.sampled_from((*Verb, Verb.PAUSE, Verb.RESUME, Verb.PROMOTE_FULL, "dance")),
        token=st.integers(0, 99),
    )
    def command(self, verb: str, token: int) -> None:
        """Somebody commands something."""
        self.world.command = f"{verb}@{token}"

    @rule(seconds=st.sampled_from((-3600.0, -1.0, 1.0, 15.0, 61.0, 700.0, 7200.0)))
    def wait(self, seconds: float) -> None:
        """Time goes by, or the clock is set."""
        self.world.now += seconds

    @rule(passes=st.integers(1, 12))
    def look(self, passes: int) -> None:
        """The operator looks some times, each when its alarm rings."""
        for _ in range(passes):
            self._look_and_sleep()

    @rule(writes=st.integers(0, 4), passes=st.integers(0, 8), lost=st.sampled_from((None, 0, 1)))
    def be_killed(self, writes: int, passes: int, lost: int | None) -> None:
        """The operator is killed after some writes of a pass, and perhaps pods are lost."""
        for _ in range(passes):
            self._look_and_sleep()
        self.world.cut = writes
        self._look()
        self.world.cut = None
        rollout = self.world.status.rollout
        if lost is not None and rollout is not None:
            self.world.broken[rollout.revision] = unready(ready=lost)
        self._look()

    def teardown(self) -> None:
        """I11, I5: with the world well and the spec at rest, every rollout ends, and rests."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.broken.clear()
        world.accepted, world.invalid, world.room = True, None, None
        world.replicas, world.verdict = max(2, world.replicas), Verdict.PASS
        world.doubt = 0.0
        self._set(paused=False)
        world.command = "resume@end"
        self._look()
        if world.status.rollout:
            latest = max(world.now, world.status.rollout.last_progress_at)
            world.now = max(latest, world.status.rollout.state_since) + 3600
        idle = 0
        for number in range(300):
            if world.last.wait and world.last.wait.reason == Reason.PAUSED:
                world.command = f"promote@end-{number}"
            self._look_and_sleep()
            idle = 0 if world.state else idle + 1
            if idle == 3:
                break
        assert world.state is None, f"it stays in {world.state}: {world.last.wait}"
        self.watcher.rests()

    def _set(self, **changes: object) -> None:
        self.world.settings = self.world.settings.model_copy(update=changes)

    def _look(self) -> None:
        self.watcher.look()

    def _look_and_sleep(self) -> None:
        self._look()
        ahead = requeue_after(self.world.status, self.world.settings, self.world.now)
        self.world.now += min(max(1.0, ahead or 5.0), LONGEST_NAP)


def run(number: int, examples: int) -> set[Decision]:
    """Live through some histories, others for each number; return who decided what in them."""
    with recorded() as seen:
        run_state_machine_as_test(
            seed(number)(History),
            settings=settings(
                max_examples=examples,
                stateful_step_count=12,
                database=None,
                # A failure is told as it was found: to shorten it would take minutes.
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    return seen
