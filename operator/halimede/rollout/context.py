"""What a check of the machine looks at, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass

from halimede.api.base import RevisionHash
from halimede.api.reasons import NotReadyReason, Reason, Verdict
from halimede.api.rollout import CapacityMode, Rollout, Step, Strategy
from halimede.api.status import RolloutStatus, State, Status
from halimede.rollout.command import Command, Verb
from halimede.rollout.events import Event
from halimede.rollout.facts import Facts, Workload
from halimede.rollout.route_conflict import active_conflict
from halimede.rollout.sizing.replicas import (
    FULL_WEIGHT,
    canary_replicas,
    full_scale,
    replicas_for_weight,
    split_replicas,
)
from halimede.rollout.steps import control_percent, current_step, mirror_due

GROWING = frozenset(
    {
        State.STARTING,
        State.PRIMING,
        State.MIRRORING,
        State.SHIFTING,
        State.ANALYSING,
        State.STEP_PAUSED,
    }
)
"""The states in which a canary has only the pods that its step needs or asks for."""
SHARED = frozenset(
    {State.SHIFTING, State.ANALYSING, State.STEP_PAUSED, State.SCALING_UP, State.PROMOTING}
)
"""The states in which pods of a canary may take the place of the stable revision's."""
DECIDED = frozenset({State.DRAINING, State.ABORTING, State.ABORT_DRAINING})
"""The states in which it is known how the rollout ends."""


@dataclass(frozen=True, slots=True)
class WaitReason:
    """Why, and in words with figures."""

    reason: Reason | NotReadyReason
    message: str


@dataclass(frozen=True, slots=True)
class Goal:
    """What the spec asks of the machine."""

    target: RevisionHash
    """The revision that the spec describes."""
    settings: Rollout
    identity: str
    """The object's uid and generation: what a rollout's id is made of."""
    generation: int = 0
    """The spec's."""
    invalid: str | None = None
    """What is wrong with the spec; the target is then that of the last valid one."""
    no_router: bool = False
    """No router shares requests out: a plain Service leads to all pods alike."""


@dataclass(frozen=True, slots=True)
class RolloutContext:
    """Everything that a check may look at."""

    goal: Goal
    facts: Facts
    status: Status
    """The status so far, with what this pass has learned."""
    command: Command | None
    verdict: Verdict | None
    """The judge's, if it was asked in this very pass."""
    now: float

    @property
    def rollout(self) -> RolloutStatus:
        """The rollout under way; checks of rollouts are only asked while there is one."""
        if self.status.rollout is None:
            raise LookupError("no rollout is under way")
        return self.status.rollout

    @property
    def target(self) -> RevisionHash:
        """The revision that is to serve: what the spec asks for, or what `rollback` has pinned."""
        pinned = self.status.pinned
        return pinned.revision if pinned else self.goal.target

    @property
    def settings(self) -> Rollout:
        """How careful to be."""
        return self.goal.settings

    @property
    def canary(self) -> Workload:
        """The revision that is rolled out."""
        return self.facts.workload(self.rollout.revision)

    @property
    def stable(self) -> Workload:
        """The revision that serves until the rollout is committed."""
        return self.facts.workload(self.rollout.base)

    @property
    def step(self) -> Step | None:
        """The canary step that the rollout is at; None where there are no steps."""
        return current_step(self.rollout, self.settings)

    @property
    def step_weight(self) -> int:
        """The weight that the current step asks for. It never falls below what is given."""
        return max(self.rollout.weight, self.step.weight) if self.step else 0

    @property
    def replaces_pods(self) -> bool:
        """Whether the stable revision gives its pods up one by one for the canary's."""
        return (
            self.settings.capacity_mode is CapacityMode.REPLACE
            and self.rollout.strategy is Strategy.CANARY
        )

    @property
    def attainable_weight(self) -> int:
        """The weight to ask for next: where pods are replaced, it follows those that are ready."""
        growing = self.rollout.state in GROWING and self.step is not None
        goal = self.step_weight if growing else FULL_WEIGHT
        if not self.replaces_pods:
            return goal
        share = FULL_WEIGHT * self.canary.ready_endpoints // max(1, self.facts.replicas)
        return max(self.rollout.weight, min(goal, share))

    @property
    def route_settled(self) -> bool:
        """Whether the route is live as asked, and proxies have had the time to follow."""
        return (
            self.route_live
            and self.rollout.weight_applied_at is not None
            and self.elapsed(self.rollout.weight_applied_at)
            >= self.settings.analysis.settle_seconds
        )

    @property
    def route_live(self) -> bool:
        """Whether the route is live as asked and accepted."""
        return self.facts.route.applied and self.facts.route.accepted

    @property
    def raise_unwritten(self) -> bool:
        """Whether a raise was stored that the route does not show, say because of a kill."""
        rollout = self.rollout
        return (
            rollout.weight > rollout.weight_before
            and rollout.weight_applied_at is None
            and not self.facts.route.applied
        )

    @property
    def paused(self) -> bool:
        """Whether somebody holds the rollout, by command or in the spec."""
        return self.settings.paused or self.rollout.paused_since is not None

    @property
    def clocks_stopped(self) -> bool:
        """Whether time tells nothing: somebody pauses it, or the route is in other hands."""
        return self.paused or self.facts.route.blocked or active_conflict(self.status) is not None

    @property
    def shared_service(self) -> bool:
        """Whether clients meet the pods of both revisions alike: no router tells them apart."""
        return self.goal.no_router and self.rollout.strategy is Strategy.CANARY

    @property
    def weight_by_replicas(self) -> bool:
        """Whether the numbers of pods are chosen for the share, and not one replaced by one."""
        return self.shared_service and not self.replaces_pods

    @property
    def control(self) -> int:
        """The percentage of the requests that the stable revision is to keep during the bake."""
        return control_percent(self.rollout, self.settings, by_pods=self.goal.no_router)

    @property
    def bake_weight(self) -> int:
        """The weight for the bake: all but what the stable revision keeps and can carry.

        It is never less than what the last step has given.
        """
        weight = max(self.rollout.weight, FULL_WEIGHT - self.control)
        return (
            weight if self.stable.ready_endpoints >= self.replicas_for(weight)[1] else FULL_WEIGHT
        )

    def replicas_for(self, weight: int) -> tuple[int, int]:
        """Count the pods that the canary and the stable revision need while it has *weight*."""
        replicas = self.facts.replicas
        if self.weight_by_replicas:
            return split_replicas(weight, replicas)
        return replicas_for_weight(weight, replicas), replicas_for_weight(
            FULL_WEIGHT - weight, replicas
        )

    @property
    def at_full_scale(self) -> bool:
        """Whether the canary could carry all traffic."""
        return self.canary.ready_endpoints >= self.full_scale_min

    @property
    def full_scale_min(self) -> int:
        """How many ready pods the canary needs for all traffic; replacing, one may be missing."""
        replicas = self.facts.replicas
        return (
            min(full_scale(replicas), max(1, replicas - 1))
            if self.replaces_pods
            else full_scale(replicas)
        )

    def can_carry(self, weight: int) -> bool:
        """Whether the canary's ready pods suffice for a share of the traffic."""
        ready = self.canary.ready_endpoints
        return self.at_full_scale or (
            weight < FULL_WEIGHT and ready >= self.replicas_for(weight)[0]
        )

    @property
    def min_ready(self) -> int:
        """How many ready pods the canary needs before the next thing can happen."""
        if self.replaces_pods and self.rollout.state in (State.STARTING, State.PRIMING):
            return 1
        if self.rollout.state in GROWING and self.step:
            return min(
                self.target_replicas, full_scale(max(self.target_replicas, self.facts.replicas))
            )
        return self.full_scale_min

    @property
    def canary_replicas(self) -> int:
        """How many pods the canary is given now, ready or not."""
        if not self.replaces_pods:
            return self.target_replicas
        # Room is what the stable revision was seen to have left, not what it was told to leave.
        room = self.facts.replicas + 1 - self.stable.desired
        return max(1, min(self.target_replicas, self.rollout.replaced_replicas + 1, room))

    @property
    def target_replicas(self) -> int:
        """How many pods the canary should have in the end, for its step or for everything."""
        if self.rollout.state not in GROWING or not self.step:
            return self.facts.replicas
        if self.replaces_pods:
            # Pods for more than its requests would be missing on the other side.
            return max(1, replicas_for_weight(self.step_weight, self.facts.replicas))
        if self.weight_by_replicas:
            return max(1, self.replicas_for(self.step_weight)[0])
        mirror = mirror_due(self.rollout, self.settings)
        load = max(self.step_weight, mirror.percent if mirror else 0)
        return canary_replicas(self.step.scale, load, self.facts.replicas)

    @property
    def stable_replicas(self) -> int:
        """How many pods the stable revision should have: all, as a rule.

        Where the share is that of the pods, it gives some up, but only for ready ones of the
        canary that clients have learned of; and it gets them back when the canary loses some.
        """
        replicas, weight = self.facts.replicas, self.rollout.weight
        shared = self.rollout.state in SHARED and self.rollout.failover_since is None
        if not self.weight_by_replicas or not shared or weight == 0:
            return replicas
        kept = min(self.stable.desired, replicas)
        if weight == FULL_WEIGHT:
            return kept
        least = max(self.replicas_for(weight)[1], replicas - self.canary.ready_endpoints)
        return min(replicas, least if self.route_settled else max(least, kept))

    @property
    def actual_weight(self) -> int | None:
        """The canary's share by its ready pods; None where a router sees to the weight."""
        canary, base = self.canary.ready_endpoints, self.stable.ready_endpoints
        if not self.shared_service or self.rollout.weight in (0, FULL_WEIGHT) or not canary + base:
            return None
        return round(FULL_WEIGHT * canary / (canary + base))

    def elapsed(self, since: float) -> float:
        """Count the seconds since a moment; none if the clock was set back."""
        return max(0.0, self.now - since)

    def commanded(self, verb: Verb) -> bool:
        """Whether this verb waits to be carried out on the rollout's revision."""
        command = self.command
        return (
            command is not None
            and command.verb is verb
            and command.revision in (None, self.rollout.revision)
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What a check has decided: the status that follows, what to tell, what is awaited."""

    status: Status
    events: tuple[Event, ...] = ()
    wait: WaitReason | None = None
    handled: bool = False
    """The pending command is carried out by this."""


Check = Callable[[RolloutContext], Decision | None]
"""A small decision; None: it is not mine to make."""


def first_decision(checks: tuple[Check, ...], ctx: RolloutContext) -> Decision | None:
    """Ask the checks in their order; the first that decides wins."""
    return next((decision for check in checks if (decision := check(ctx)) is not None), None)
