"""Whatever happens in whatever order, these hold: random events on a world of facts alone."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from halimede.api.rollout import Canary, Mirror, Scale, Step, StepPause, Strategy
from halimede.api.status import RolloutStatus, State, Status
from halimede.judge.verdict import Verdict
from halimede.rollout import allotment
from halimede.rollout.capacity import full, need, split, weight_on_abort
from halimede.rollout.command import Verb
from halimede.rollout.facts import Cause
from halimede.rollout.machine import move
from halimede.rollout.steps import AT_STEP, refitted
from halimede.rollout.timers import next_look
from halimede.rollout.transitions import TRANSITIONS
from tests.support.recorder import Step as Decision
from tests.support.recorder import declares, recorded
from tests.support.rollouts import MachineWorld, unready

REVISIONS = ("v1", "v2", "v3")
PAUSES = (None, None, StepPause(seconds=20), StepPause())
MIRRORS = (None, None, Mirror(percent=50, min_seconds=30))
SCALES = (None, None, Scale(replicas=1), Scale(replicas=5), Scale(percent=50))
CAUSES = (None, Cause.CRASH_LOOP, Cause.UNSCHEDULABLE, Cause.LOADING)
BEFORE_COMMIT = frozenset(State) - {State.DRAINING, State.ABORTING, State.ABORT_DRAINING}
GIVEN_UP = frozenset({State.ABORTING, State.ABORT_DRAINING})

RARELY = st.integers(0, 9)
"""Zero means yes."""

Shares = dict[str, int]


@pytest.fixture(scope="module", autouse=True)
def decisions() -> Iterator[set[Decision]]:
    """Record what the machine decides in all examples."""
    with recorded() as seen:
        yield seen


class Rollouts(RuleBasedStateMachine):
    """Users edit, pods come and go, the judge says what it likes, and the process is killed."""

    @initialize(
        passes=st.integers(0, 60), strategy=st.sampled_from(Strategy), by_pods=st.booleans()
    )
    def begin(self, passes: int, strategy: Strategy, *, by_pods: bool) -> None:
        """Have a first revision serve, and a second one on its way."""
        self.world = MachineWorld(replicas=4, by_pods=by_pods).serve().ask_for("v2")
        self._set(strategy=strategy)
        self.allowed: dict[str, int] = {}
        for _ in range(passes):
            self._look()
            self.world.now += 5

    @rule(revision=st.sampled_from(REVISIONS), chance=RARELY)
    def ask_for(self, revision: str, chance: int) -> None:
        """The spec is edited, now and then in the middle of a rollout."""
        if self.world.state is None or chance == 0:
            self.world.target = revision

    @rule(
        weights=st.lists(st.integers(0, 100), min_size=1, max_size=4, unique=True),
        pause=st.sampled_from(PAUSES),
        scale=st.sampled_from(SCALES),
        mirror=st.sampled_from(MIRRORS),
    )
    def edit_steps(
        self,
        weights: list[int],
        pause: StepPause | None,
        scale: Scale | None,
        mirror: Mirror | None,
    ) -> None:
        """The steps are edited."""
        steps = (
            Step(weight=one, min_seconds=30, pause=pause, scale=scale) for one in sorted(weights)
        )
        self._set(canary=Canary(steps=tuple(steps), mirror=mirror))

    @rule(strategy=st.sampled_from(Strategy), chance=RARELY)
    def edit_rollout(self, strategy: Strategy, chance: int) -> None:
        """The way of rolling out is edited, and now and then it is paused."""
        self._set(strategy=strategy, paused=chance == 0)

    @rule(replicas=st.integers(1, 12), chance=RARELY)
    def scale(self, replicas: int, chance: int) -> None:
        """The number of pods is edited, now and then to none."""
        self.world.replicas = replicas if chance else 0

    @rule(
        revision=st.sampled_from(REVISIONS),
        ready=st.integers(0, 2),
        cause=st.sampled_from(CAUSES),
        restarts=st.integers(0, 4),
    )
    def lose_pods(self, revision: str, ready: int, cause: Cause | None, restarts: int) -> None:
        """Pods of a revision are lost."""
        self.world.broken[revision] = unready(cause, ready=ready, restarts=restarts)

    @rule(revision=st.sampled_from(REVISIONS))
    def heal(self, revision: str) -> None:
        """Pods of a revision come back."""
        self.world.broken.pop(revision, None)

    @rule(verdict=st.sampled_from((None, *Verdict, *[Verdict.PASS] * 6)))
    def judge(self, verdict: Verdict | None) -> None:
        """The judge changes its mind."""
        self.world.verdict = verdict

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

    @rule(seconds=st.sampled_from((-3600.0, -1.0, 0.0, 1.0, 15.0, 61.0, 700.0, 7200.0)))
    def wait(self, seconds: float) -> None:
        """Time goes by, or the clock is set."""
        self.world.now += seconds

    @rule(passes=st.integers(1, 30), seconds=st.sampled_from((1.0, 5.0, 20.0)))
    def look(self, passes: int, seconds: float) -> None:
        """The operator looks some times."""
        for _ in range(passes):
            self._look()
            self.world.now += seconds

    @rule(ready=st.integers(0, 2), passes=st.integers(1, 60))
    def be_killed_when_it_raises(self, ready: int, passes: int) -> None:
        """The operator stores a higher weight and is killed; then the canary loses pods."""
        world = self.world
        for _ in range(passes):
            weight = self._weight()
            world.effects = False
            self._look()
            world.effects = True
            if self._weight() > weight and world.status.rollout:
                world.broken[world.status.rollout.revision] = unready(ready=ready)
                self._look()
                return
            self._look()
            world.now += 5

    def _weight(self) -> int:
        rollout = self.world.status.rollout
        return rollout.weight if rollout else 0

    @invariant()
    def the_route_gives_all_requests_to_somebody(self) -> None:
        """I1: the weights of a route add up to 100."""
        if hasattr(self, "world"):
            assert {sum(dict(shares).values()) for shares in self.world.writes} <= {100}

    def teardown(self) -> None:
        """I11: with the world well and the spec at rest, every rollout ends."""
        world = self.world
        world.broken.clear()
        world.accepted, world.replicas, world.verdict = True, 4, Verdict.PASS
        self._set(paused=False)
        world.command = "resume@end"
        self._look()
        if world.status.rollout:
            latest = max(world.now, world.status.rollout.last_progress_at)
            world.now = max(latest, world.status.rollout.state_since) + 3600
        for number in range(400):
            world.command = f"promote@end-{number}"
            self._look()
            world.now += 5
            if world.state is None and world.last.wait is None and not world.last.events:
                break
        assert world.state is None
        self._at_rest()

    def _set(self, **changes: object) -> None:
        self.world.settings = self.world.settings.model_copy(update=changes)

    def _look(self) -> None:
        world = self.world
        before, writes, route = world.status, len(world.writes), dict(world.route)
        scene = world.scene()
        ready = {one: world.workload(one).ready_endpoints for one in world.desired}
        world.step()
        self._abort_is_one_pass_away(before)
        self._token_acts_once(before)
        self._rises_only_after_a_pass(before, scene.verdict)
        for shares in world.writes[writes:]:
            self._raises_only_what_is_ready(route, dict(shares), before)
            self._raises_nothing_in_a_pause(route, dict(shares))
        if world.effects:
            self._gives_up_only_what_is_replaced(ready)
        self._has_a_reason_to_wait()
        self._never_runs_both()

    def _raises_only_what_is_ready(self, old: Shares, new: Shares, before: Status) -> None:
        """I2, I3, I4: a weight rises where pods are ready for it, by one step of the rollout."""
        world, rollout = self.world, self.world.status.rollout
        for revision, weight in new.items():
            if weight <= old.get(revision, 0):
                continue
            ready = world.workload(revision).ready_endpoints
            if rollout is None or before.rollout is None:
                assert world.replicas == 0, f"{revision} rose to {weight} outside a rollout"
                continue
            if revision == rollout.revision and rollout.state is not State.DRAINING:
                wanted, rest = self._needed(rollout, weight)
                assert ready >= min(wanted, full(world.replicas)), (old, new, rollout.state)
                base = world.workload(rollout.base).ready_endpoints
                assert base >= rest, (old, new, rollout.state)
            else:
                others = [world.workload(one).ready_endpoints for one in new if one != revision]
                assert ready > 0 or not any(others), (old, new, rollout.state)

    def _needed(self, rollout: RolloutStatus, weight: int) -> tuple[int, int]:
        """Count the ready pods that either side needs for a weight."""
        world = self.world
        if weight == 100:
            return full(world.replicas), 0
        if world.by_pods and rollout.strategy is Strategy.CANARY:
            return split(weight, world.replicas)
        return need(weight, world.replicas), need(100 - weight, world.replicas)

    def _gives_up_only_what_is_replaced(self, ready: Shares) -> None:
        """While revisions share by their pods, as many are there as the spec asks for."""
        world, rollout = self.world, self.world.status.rollout
        if rollout is None or rollout.weight == 100 or rollout.base not in world.desired:
            return
        if rollout.strategy is Strategy.RECREATE:
            return
        pods = world.desired[rollout.base] + (
            ready.get(rollout.revision, 0) if rollout.weight else 0
        )
        assert pods >= world.replicas, rollout.state

    def _raises_nothing_in_a_pause(self, old: Shares, new: Shares) -> None:
        """While somebody holds it, a revision's share may fall and never rises."""
        rollout = self.world.status.rollout
        if rollout is None or rollout.state not in BEFORE_COMMIT:
            return
        if rollout.strategy is Strategy.RECREATE:
            return  # in the middle of its outage a pause would only prolong that
        if self.world.settings.paused or rollout.paused_since is not None:
            assert new.get(rollout.revision, 0) <= old.get(rollout.revision, 0), rollout.state

    def _token_acts_once(self, before: Status) -> None:
        """No command is carried out whose token is remembered."""
        after = self.world.status
        acted = after.used_tokens[-1:] if after.used_tokens != before.used_tokens else ()
        assert not set(acted) & set(before.used_tokens)

    def _rises_only_after_a_pass(self, before: Status, verdict: Verdict | None) -> None:
        """I3, I6: a canary goes beyond its step only after Pass or `promote`, step by step."""
        after, was = self.world.status.rollout, before.rollout
        if after is None or was is None or after.id != was.id or after.steps == 0:
            return
        promoted = self.world.status.answered_command != before.answered_command
        fit = refitted(was, self.world.settings, self.world.now)
        if fit != was:
            self.allowed[after.id] = fit.step
        step = self.allowed.setdefault(after.id, was.step)
        passed = verdict is Verdict.PASS or promoted or was.weight == 0
        if was.state in AT_STEP and passed:
            self.allowed[after.id] = step + 1
        if was.strategy is Strategy.CANARY:
            assert after.step <= self.allowed[after.id]
            if after.state is State.SCALING_UP and was.state in AT_STEP:
                assert self.allowed[after.id] > was.step

    def _abort_is_one_pass_away(self, before: Status) -> None:
        """I7: whatever the state, an abort takes the canary's weight in the very next write."""
        rollout = before.rollout
        if rollout is None or rollout.state not in BEFORE_COMMIT:
            return
        world = self.world
        tried = MachineWorld(**{**world.__dict__, "status": before, "command": "abort@now"})
        after = move(tried.scene()).status
        left = weight_on_abort(
            rollout.weight,
            stable_ready=world.workload(rollout.base).ready_endpoints,
            canary_ready=world.workload(rollout.revision).ready_endpoints,
            replicas=world.replicas,
        )
        shares = dict(allotment.weights(after))
        assert shares.get(rollout.revision, 0) == left
        assert after.rollout is None or after.rollout.state in GIVEN_UP

    def _never_runs_both(self) -> None:
        """I12: where one stops before the other starts, only one of them is to have pods."""
        rollout, desired = self.world.status.rollout, self.world.desired
        if rollout is None or rollout.strategy is not Strategy.RECREATE:
            return
        assert 0 in (desired.get(rollout.base, 0), desired.get(rollout.revision, 0)), desired

    def _has_a_reason_to_wait(self) -> None:
        """I9: a rollout that stays has said why, and time or an event will wake it."""
        world = self.world
        if (
            world.status.rollout is None
            or len(world.seen) < 2
            or world.seen[-1] is not world.seen[-2]
        ):
            return
        told = world.last.wait is not None
        ahead = next_look(world.status, world.settings, world.now) is not None
        assert told or ahead

    def _at_rest(self) -> None:
        """I5: where nothing is left to do, another look does nothing."""
        world = self.world
        for _ in range(2):
            before, writes = world.status, len(world.writes)
            world.step()
        assert (world.status, world.writes[writes:]) == (before, [])


TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    # A failure is told as it was found: to shorten it would take minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_what_happened_is_in_the_table(decisions: set[Decision]) -> None:
    """Nothing decides in a place, or goes to one, that its row does not tell of."""
    untold = [one for one in decisions if not any(declares(row, one) for row in TRANSITIONS)]
    assert sorted(map(str, untold)) == []


@pytest.mark.parametrize("count", [need, full])
def test_need_never_falls(count: Callable[..., int]) -> None:
    """More traffic never needs fewer pods."""
    arguments = (
        [(weight, 7) for weight in range(101)] if count is need else [(n,) for n in range(60)]
    )
    counted = [count(*one) for one in arguments]
    assert all(lower <= higher for lower, higher in pairwise(counted))
