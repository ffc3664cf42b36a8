"""What a check of the state machine reads, and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass

from halimede.api.base import RevisionHash
from halimede.api.reasons import NotReadyReason, Reason, Verdict
from halimede.api.rollout import CapacityMode, Rollout, Step, Strategy
from halimede.api.status import RolloutStatus, Status
from halimede.rollout.command import Command, Verb
from halimede.rollout.events import Event
from halimede.rollout.facts import Facts, Workload
from halimede.rollout.route_conflict import active_conflict
from halimede.rollout.steps import current_step


@dataclass(frozen=True, slots=True)
class WaitReason:
    """Why a rollout waits: the reason, and a message with figures."""

    reason: Reason | NotReadyReason
    message: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """The digest of the spec's model is not known, so neither is the revision."""

    job: str
    """The Job that determines it."""
    why: WaitReason
    """What it waits for, or why it failed."""
    failed: bool
    """Whether only another spec or the command `retry` leads on."""


UNKNOWN_MODEL = "a model whose digest is not known yet"
"""What the spec asks for while its revision is not known, as messages name it."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the spec asks of the state machine."""

    target: RevisionHash
    """The revision that the spec describes."""
    settings: Rollout
    identity: str
    """The object's uid and generation, from which a rollout's id is derived."""
    generation: int = 0
    """Of the spec."""
    invalid: str | None = None
    """What is wrong with the spec; the target is then that of the last valid spec."""
    unresolved: Unresolved | None = None
    """Why the revision that the spec describes is not known yet; the target is then the last one
    that was."""
    no_router: bool = False
    """No router splits the requests: a plain Service sends them to all pods alike."""

    @property
    def described(self) -> str:
        """What the spec asks for, as messages name it."""
        return UNKNOWN_MODEL if self.unresolved else f"revision {self.target}"


@dataclass(frozen=True, slots=True)
class RolloutContext:
    """Everything that a check may read."""

    goal: Goal
    facts: Facts
    status: Status
    """The status so far, with what this reconcile has observed."""
    command: Command | None
    verdict: Verdict | None
    """The judge's verdict, if it polled in this reconcile."""
    now: float

    @property
    def rollout(self) -> RolloutStatus:
        """The rollout under way; checks of rollouts only run while there is one.

        Raises:
            LookupError: No rollout is under way.
        """
        if self.status.rollout is None:
            raise LookupError("no rollout is under way")
        return self.status.rollout

    @property
    def target(self) -> RevisionHash:
        """The revision that is to serve: the spec's, or the one that `rollback` has pinned."""
        pinned = self.status.pinned
        return pinned.revision if pinned else self.goal.target

    @property
    def settings(self) -> Rollout:
        """The settings of rollouts."""
        return self.goal.settings

    @property
    def canary(self) -> Workload:
        """The workload of the revision that is rolled out."""
        return self.facts.workload(self.rollout.revision)

    @property
    def stable(self) -> Workload:
        """The workload of the revision that serves until the commit."""
        return self.facts.workload(self.rollout.base)

    @property
    def step(self) -> Step | None:
        """The canary step that the rollout is at; None if there are no steps."""
        return current_step(self.rollout, self.settings)

    @property
    def step_weight(self) -> int:
        """The weight of the current step, but never less than the current weight."""
        return max(self.rollout.weight, self.step.weight) if self.step else 0

    @property
    def replaces_pods(self) -> bool:
        """Whether pods of the stable revision are replaced one by one with the canary's."""
        return (
            self.settings.capacity_mode is CapacityMode.REPLACE
            and self.rollout.strategy is Strategy.CANARY
        )

    @property
    def route_settled(self) -> bool:
        """Whether the route is live as desired, and proxies have had `settleSeconds` to follow."""
        return (
            self.route_live
            and self.rollout.weight_applied_at is not None
            and self.elapsed(self.rollout.weight_applied_at)
            >= self.settings.analysis.settle_seconds
        )

    @property
    def route_live(self) -> bool:
        """Whether the route is live as desired and accepted."""
        return self.facts.route.applied and self.facts.route.accepted

    @property
    def raise_unwritten(self) -> bool:
        """Whether a raise was stored but not written to the route, for example after a kill."""
        rollout = self.rollout
        return (
            rollout.weight > rollout.weight_before
            and rollout.weight_applied_at is None
            and not self.facts.route.applied
        )

    @property
    def paused(self) -> bool:
        """Whether a user pauses the rollout, by command or in the spec."""
        return self.settings.paused or self.rollout.paused_since is not None

    @property
    def clocks_stopped(self) -> bool:
        """Whether deadlines do not run: a pause, or a route that is blocked or in conflict."""
        return self.paused or self.facts.route.blocked or active_conflict(self.status) is not None

    @property
    def shared_service(self) -> bool:
        """Whether requests go to the pods of both revisions alike, as no router splits them."""
        return self.goal.no_router and self.rollout.strategy is Strategy.CANARY

    @property
    def weight_by_replicas(self) -> bool:
        """Whether the numbers of pods make the weight, without replacing pods one by one."""
        return self.shared_service and not self.replaces_pods

    def elapsed(self, since: float) -> float:
        """Return the seconds since a moment; 0 if the clock was set back."""
        return max(0.0, self.now - since)

    def commanded(self, verb: Verb) -> bool:
        """Whether the pending command has this verb and is for the rollout's revision."""
        command = self.command
        return (
            command is not None
            and command.verb is verb
            and command.revision in (None, self.rollout.revision)
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What a check has decided: the next status, Events, and what the rollout waits for."""

    status: Status
    events: tuple[Event, ...] = ()
    wait: WaitReason | None = None
    handled: bool = False
    """The decision executes the pending command."""


Check = Callable[[RolloutContext], Decision | None]
"""One rule of the state machine; it returns None if it does not apply."""


def first_decision(checks: tuple[Check, ...], ctx: RolloutContext) -> Decision | None:
    """Return the decision of the first check that makes one; None if none does."""
    return next((decision for check in checks if (decision := check(ctx)) is not None), None)
