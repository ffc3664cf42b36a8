"""Invariants that hold in every pass, whatever happened before."""

from dataclasses import dataclass, field, replace

from halimede.api.reasons import Verdict
from halimede.api.rollout import CapacityMode, Strategy
from halimede.api.status import State, Status
from halimede.rollout.context import RolloutContext
from halimede.rollout.machine import advance
from halimede.rollout.requeue import requeue_after
from halimede.rollout.sizing import traffic
from halimede.rollout.sizing.replicas import (
    full_scale,
    replicas_for_weight,
    split_replicas,
    weight_on_abort,
)
from halimede.rollout.states import ALL_TRAFFIC, AT_STEP_WEIGHT
from halimede.rollout.steps import control_percent, remap_steps
from tests.support.rollouts import MachineWorld

GIVEN_UP = frozenset({State.ABORTING, State.ABORT_DRAINING})
BEFORE_COMMIT = frozenset(State) - {State.DRAINING, State.ABORTING, State.ABORT_DRAINING}

Shares = dict[str, int]


@dataclass
class Watcher:
    """Checks the invariants in each pass."""

    world: MachineWorld
    allowed: dict[str, int] = field(default_factory=dict)
    """The highest step that each rollout may be in."""

    def reconcile(self) -> None:
        """Run one pass and check everything."""
        world = self.world
        before, writes, route = world.status, len(world.writes), dict(world.route)
        desired = dict(world.desired)
        ctx = world.context()
        self._abort_is_one_pass_away(ctx)
        world.step()
        self._token_acts_once(before)
        self._failed_revision_stays_away(before)
        self._rises_only_after_a_pass(before, ctx.verdict)
        for shares in world.writes[writes:]:
            assert sum(dict(shares).values()) == 100, f"I1: {shares}"
            self._raises_only_what_is_ready(route, dict(shares), ctx)
            self._raises_nothing_in_a_pause(route, dict(shares))
            self._leaves_only_without_requests(route, dict(shares))
        if world.cut is None:
            self._gives_up_only_what_is_replaced(ctx)
        self._asks_for_no_more_than_allowed(desired)
        self._keeps_the_control_share(before)
        self._rolls_out_no_invalid_record()
        self._begins_nothing_unresolved(before)
        self._has_a_reason_to_wait()

    def rests(self) -> None:
        """I5: with nothing left to do, further passes change nothing."""
        world = self.world
        for _ in range(2):
            before, writes = world.status, len(world.writes)
            world.step()
        assert (world.status, world.writes[writes:]) == (before, []), "I5"

    def _raises_only_what_is_ready(self, old: Shares, new: Shares, ctx: RolloutContext) -> None:
        """I2, I4: a weight rises only with ready pods for it."""
        rollout, pods = self.world.status.rollout, ctx.facts.workload
        for revision, weight in new.items():
            if weight <= old.get(revision, 0):
                continue
            ready = pods(revision).ready_endpoints
            if rollout is None or ctx.status.rollout is None:
                assert self.world.replicas == 0, f"{revision} rose to {weight} outside a rollout"
            elif revision == rollout.revision and rollout.state is not State.DRAINING:
                self._carries(weight, ready, pods(rollout.base).ready_endpoints)
            else:
                others = [pods(one).ready_endpoints for one in new if one != revision]
                assert ready > 0 or not any(others), f"I2: {old} {new} {rollout.state}"

    def _carries(self, weight: int, ready: int, base: int) -> None:
        """Both revisions have the pods for the weight; with Replace one may be missing."""
        world, rollout = self.world, self.world.status.rollout
        if rollout is not None and rollout.failover_since is not None and base == 0:
            assert ready > 0, "I2: it covers without a pod"
            return
        dropped = rollout is not None and rollout.control_dropped_at is not None
        if dropped and rollout.state in ALL_TRAFFIC and base == 0:
            assert ready > 0, "I2: it takes the share of the bake over without a pod"
            return
        spare = self._replaces()
        needed, rest = (
            replicas_for_weight(weight, world.replicas),
            replicas_for_weight(100 - weight, world.replicas),
        )
        if self._by_pods():
            needed, rest = split_replicas(weight, world.replicas)
        needed = min(needed, full_scale(world.replicas))
        if weight == 100:
            needed = max(1, min(full_scale(world.replicas), world.replicas - spare))
        assert ready >= needed, f"I2: {weight} % with {ready} of {needed} pods"
        assert base >= rest - (spare and rest > 1), f"I4: {100 - weight} % with {base} pods"

    def _gives_up_only_what_is_replaced(self, ctx: RolloutContext) -> None:
        """With weights by replica count there are as many pods as the spec asks for."""
        world, rollout = self.world, self.world.status.rollout
        if rollout is None or not self._by_pods() or rollout.base not in world.desired:
            return
        if rollout.weight == 100 or rollout.state in (State.DRAINING, State.ABORT_DRAINING):
            return
        canary = ctx.facts.workload(rollout.revision).ready_endpoints if rollout.weight else 0
        pods = world.desired[rollout.base] + canary
        assert pods >= world.replicas, f"{pods} pods in {rollout.state}"

    def _raises_nothing_in_a_pause(self, old: Shares, new: Shares) -> None:
        """In a pause a weight may fall; it rises only for a failover from stable."""
        rollout = self.world.status.rollout
        if rollout is None or rollout.state not in BEFORE_COMMIT or rollout.failover_since:
            return
        if rollout.control_dropped_at is not None and rollout.state in ALL_TRAFFIC:
            return  # a stable revision without pods cannot answer, paused or not
        if rollout.strategy is Strategy.RECREATE:
            return  # in the middle of its outage a pause would only prolong that
        if self.world.settings.paused or rollout.paused_since is not None:
            share = new.get(rollout.revision, 0)
            assert share <= old.get(rollout.revision, 0), f"paused: {old} {new} {rollout.state}"

    def _leaves_only_without_requests(self, old: Shares, new: Shares) -> None:
        """I14: proxies lose requests if a revision leaves the route while it has a weight."""
        rollout = self.world.status.rollout
        if rollout is None or rollout.strategy is Strategy.RECREATE:
            return
        gone = {revision: weight for revision, weight in old.items() if revision not in new}
        assert not any(gone.values()), f"I14: {old} {new} {rollout.state}"

    def _token_acts_once(self, before: Status) -> None:
        """Tokens of executed commands increase, so none is executed again."""
        after = self.world.status
        if before.commands and after.commands != before.commands:
            assert after.commands[-1].token > before.commands[-1].token, "a token acted twice"

    def _failed_revision_stays_away(self, before: Status) -> None:
        """I8: a failed revision starts again only by command."""
        after = self.world.status
        if after.rollout is None or (before.rollout and before.rollout.id == after.rollout.id):
            return
        failed = {one.revision for one in before.failed_revisions}
        commanded = after.commands != before.commands or before.pinned is not None
        assert after.rollout.revision not in failed or commanded, "I8"

    def _rises_only_after_a_pass(self, before: Status, verdict: Verdict | None) -> None:
        """I3, I6: a canary goes beyond its step only after Pass or `promote`, step by step."""
        after, earlier = self.world.status.rollout, before.rollout
        if after is None or earlier is None or after.id != earlier.id or after.steps == 0:
            return
        promoted = self.world.status.last_command != before.last_command
        fit = remap_steps(earlier, self.world.settings, self.world.now)
        if fit != earlier:
            self.allowed[after.id], earlier = fit.step, fit
        step = self.allowed.setdefault(after.id, earlier.step)
        if earlier.state in AT_STEP_WEIGHT and (
            verdict is Verdict.PASS or promoted or earlier.weight == 0
        ):
            self.allowed[after.id] = step + 1
        if earlier.strategy is Strategy.CANARY:
            assert after.step <= self.allowed[after.id], f"I3: step {after.step}"
            if after.state is State.SCALING_UP and earlier.state in AT_STEP_WEIGHT:
                assert self.allowed[after.id] > earlier.step, "I3: full scale"

    def _keeps_the_control_share(self, before: Status) -> None:
        """I13: the control share stays constant during the bake until it is dropped.

        A dropped share never returns, and no other check lowers it.
        """
        after, earlier = self.world.status.rollout, before.rollout
        if after is None or after.state not in ALL_TRAFFIC:
            return
        if after.control_dropped_at is not None:
            assert after.weight == 100, f"I13: {after.weight} % after the share was given up"
        if earlier is not None and earlier.id == after.id and earlier.state in ALL_TRAFFIC:
            dropped = after.control_dropped_at != earlier.control_dropped_at
            assert dropped or after.weight == earlier.weight, (
                f"I13: {earlier.weight} to {after.weight}"
            )
        elif after.weight < 100:
            control = control_percent(after, self.world.settings, by_pods=self.world.by_pods)
            assert after.weight >= 100 - control, f"I13: {after.weight} % of {control}"

    def _rolls_out_no_invalid_record(self) -> None:
        """I15: no pass leaves a rollout to a revision whose record is invalid."""
        rollout = self.world.status.rollout
        if rollout is not None and rollout.state in BEFORE_COMMIT:
            assert rollout.revision not in self.world.invalid_records, f"I15: {rollout.state}"

    def _begins_nothing_unresolved(self, before: Status) -> None:
        """I16: while the spec's revision is unknown, no rollout begins, unless to a pinned one."""
        rollout, pinned = self.world.status.rollout, self.world.status.pinned
        if self.world.unresolved is None or rollout is None or pinned is not None:
            return
        assert before.rollout is not None, "I16: a rollout began"
        assert rollout.id == before.rollout.id, "I16: another rollout began"

    def _abort_is_one_pass_away(self, ctx: RolloutContext) -> None:
        """I7: in every state an abort takes the canary's weight in the next write."""
        rollout = ctx.status.rollout
        if rollout is None or rollout.state not in BEFORE_COMMIT:
            return
        tried = replace(self.world, command=f"abort@{self.world.last_token + 1}").context()
        after = advance(tried).status
        left = weight_on_abort(
            rollout.weight,
            stable_ready=ctx.stable.ready_endpoints,
            canary_ready=ctx.canary.ready_endpoints,
            replicas=ctx.facts.replicas,
        )
        shares = dict(traffic.weights(after))
        assert shares.get(rollout.revision, 0) == left, f"I7: {shares}"
        assert after.rollout is None or after.rollout.state in GIVEN_UP, "I7"

    def _has_a_reason_to_wait(self) -> None:
        """I9: a rollout that stays in its state has a wait reason or a requeue time."""
        world = self.world
        if world.status.rollout is None or world.seen[-1] is not world.seen[-2]:
            return
        has_reason = world.last.wait is not None
        has_requeue = requeue_after(world.status, world.settings, world.now) is not None
        assert has_reason or has_requeue, f"I9: {world.state}"

    def _asks_for_no_more_than_allowed(self, earlier: dict[str, int]) -> None:
        """I12: a rollout has at most twice `replicas` pods; with Replace at most one more.

        After a kill between the two writes of an abort, Recreate may have pods of both revisions.
        """
        world, rollout = self.world, self.world.status.rollout
        if rollout is None:
            return
        both = {rollout.base, rollout.revision}
        total, before = (
            sum(pods.get(name, 0) for name in both) for pods in (world.desired, earlier)
        )
        most = 2 * world.replicas
        if rollout.strategy is Strategy.RECREATE:
            sides = (world.desired.get(one, 0) for one in (rollout.base, rollout.revision))
            assert world.cut is not None or 0 in sides, f"I12: both have pods in {rollout.state}"
            most = most if world.cut is None else max(most, before + world.replicas)
        if rollout.strategy is Strategy.CANARY:
            scales = [
                step.scale.replicas or 0 for step in world.settings.canary.steps if step.scale
            ]
            most = max(most, world.replicas + max(scales, default=0))
        if self._replaces():
            most = world.replicas + 1
        assert total <= max(most, before), f"I12: {total} pods, at most {most}"

    def _replaces(self) -> bool:
        rollout = self.world.status.rollout
        return (
            rollout is not None
            and rollout.strategy is Strategy.CANARY
            and self.world.settings.capacity_mode is CapacityMode.REPLACE
        )

    def _by_pods(self) -> bool:
        rollout = self.world.status.rollout
        canary = rollout is not None and rollout.strategy is Strategy.CANARY
        return self.world.by_pods and canary and not self._replaces()
