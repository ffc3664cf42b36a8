"""The conditions: one Ready, made in one place, from what one pass knows.

| situation | Ready | Available | Reconciling | Stalled |
|---|---|---|---|---|
| the first revision is starting | Unknown Deploying | False | True | |
| its pods need help | False, the cause | False | True | after the deadline |
| steady | True Serving | True | | |
| a rollout is under way | Unknown RollingOut | True | True | |
| no data, or Prometheus is away | Unknown MetricsHold | True | True | |
| a human is asked | Unknown Paused | True | True Paused | |
| traffic goes back | False CanaryFailed | True | True RollingBack | |
| `rollback` holds an earlier one | False Pinned | True | | True |
| by Recreate one stops, the other starts | Unknown Recreating | False Recreating | True | |
| the canary failed, stable serves | False CanaryFailed | True | | True |
| the spec is invalid | False InvalidSpec | as before | | True |
| a child is refused | False ApplyFailed | as before | True | |
| no gateway takes the route | False RouteNotAccepted | False | True | |
| somebody else writes the route | Unknown RouteConflict | True | True | |
| stable lost its pods | False Unavailable | False | | |
"""

from collections.abc import Mapping
from dataclasses import dataclass

from halimede.api.base import RevisionHash
from halimede.api.conditions import Condition, ConditionStatus, ConditionType
from halimede.api.reasons import NotReadyReason, Reason
from halimede.api.rollout import Strategy
from halimede.api.status import Outcome, Status
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.status_limits import truncate
from halimede.rollout.checks.start import failed_record
from halimede.rollout.checks.waits import ROUTE_WAIT_SECONDS
from halimede.rollout.context import WaitReason
from halimede.rollout.events import join_sentences
from halimede.rollout.facts import NEEDS_HELP, Facts, Workload
from halimede.rollout.route_conflict import active_conflict
from halimede.rollout.sizing.traffic import weights

NOT_RUNNING = frozenset({Reason.UNAVAILABLE, Reason.ROUTE_NOT_ACCEPTED})


@dataclass(frozen=True, slots=True)
class ConditionInput:
    """What the conditions are made of."""

    deployment: ModelDeployment
    status: Status
    """As it will be; its conditions are still those of before."""
    facts: Facts
    wait: WaitReason | None
    invalid: str | None
    """What is wrong with the spec, and the cure."""
    apply_errors: Mapping[str, str]
    lost: tuple[str, ...]
    """Revisions that serve but whose records are gone."""
    now: float

    @property
    def serving(self) -> Workload:
        """The revision that serves, or is to be the first that does."""
        serving = self.status.stable or self.status.target
        return self.facts.workload(serving.revision) if serving else Workload(RevisionHash(""))

    @property
    def was_ready(self) -> bool:
        """Whether this generation has been ready already."""
        before = self.before(ConditionType.READY)
        generation = self.deployment.metadata.generation
        return before is not None and (before.status, before.observed_generation) == (
            "True",
            generation,
        )

    @property
    def overdue(self) -> bool:
        """Whether the first revision has had its time to become ready."""
        target = self.status.target
        deadline = self.deployment.spec.rollout.progress_deadline_seconds
        since = target.since if target else None
        return since is not None and self.now - since >= deadline

    @property
    def route_overdue(self) -> bool:
        """Whether the route has been without an answer for too long."""
        since = self.facts.route.since
        return since is not None and self.now - since >= ROUTE_WAIT_SECONDS

    def before(self, type_: ConditionType) -> Condition | None:
        """Find a condition as it was."""
        return next((one for one in self.status.conditions if one.type is type_), None)


@dataclass(frozen=True, slots=True)
class ReadyState:
    """What the conditions are to say; None: the condition is absent."""

    ready: ConditionStatus
    reason: Reason | NotReadyReason
    message: str
    reconciling: Reason | NotReadyReason | None = None
    stalled: Reason | NotReadyReason | None = None


def build_conditions(situation: ConditionInput) -> tuple[Condition, ...]:
    """Make all conditions. A transition time changes only with its condition's status."""
    said = ready_state(situation)
    message = said.message + "".join(
        f" The record of revision {revision} is lost: its Deployment is kept as it is."
        for revision in situation.lost
    )
    made = [
        _condition(situation, ConditionType.READY, said.ready, said.reason, message),
        _available(situation),
    ]
    if said.reconciling is not None:
        made.append(
            _condition(situation, ConditionType.RECONCILING, "True", said.reconciling, message)
        )
    if said.stalled is not None:
        made.append(_condition(situation, ConditionType.STALLED, "True", said.stalled, message))
    return tuple(made)


def ready_state(situation: ConditionInput) -> ReadyState:
    """Say whether the spec is fully live, and if not, why. What needs help most comes first."""
    if situation.invalid is not None:
        return ReadyState(
            "False", Reason.INVALID_SPEC, situation.invalid, stalled=Reason.INVALID_SPEC
        )
    if situation.apply_errors:
        told = "; ".join(f"{what}: {why}" for what, why in situation.apply_errors.items())
        return ReadyState("False", Reason.APPLY_FAILED, told, reconciling=Reason.APPLY_FAILED)
    if situation.status.rollout is not None:
        return _rolling_out(situation)
    if situation.status.stable is None:
        return _first(situation)
    return _pinned(situation) or _failed(situation) or _serving(situation)


def _rolling_out(situation: ConditionInput) -> ReadyState:
    rollout = situation.status.rollout
    if rollout is not None and rollout.outcome is Outcome.ABORTED:
        message = f"Revision {rollout.revision} is stopped: {rollout.message}"
        return ReadyState("False", Reason.CANARY_FAILED, message, reconciling=Reason.ROLLING_BACK)
    wait = situation.wait
    if wait is None:
        named = rollout.revision if rollout else ""
        state = rollout.state if rollout else ""
        wait = WaitReason(Reason.ROLLING_OUT, f"Revision {named} is rolled out ({state}).")
    return ReadyState("Unknown", wait.reason, wait.message, reconciling=wait.reason)


def _first(situation: ConditionInput) -> ReadyState:
    pods = situation.serving
    count = f"{pods.ready_endpoints} of {situation.facts.replicas} pods are ready"
    why = f" ({pods.cause})" if pods.cause else ""
    message = join_sentences(f"{count}{why}", pods.message)
    if situation.overdue:
        cause = pods.cause or Reason.DEPLOYING
        return ReadyState("False", cause, message, reconciling=None, stalled=cause)
    if pods.cause in NEEDS_HELP:
        return ReadyState("False", pods.cause, message, reconciling=pods.cause)
    return ReadyState("Unknown", Reason.DEPLOYING, message, reconciling=Reason.DEPLOYING)


def _pinned(situation: ConditionInput) -> ReadyState | None:
    """Say that a revision is held against the spec, and how that ends."""
    pin, serving = situation.status.pinned, situation.serving
    if pin is None or pin.revision == pin.spec_revision or serving.revision != pin.revision:
        return None
    serves = "serves" if serving.ready_endpoints else "is to serve, but no pod is ready"
    message = join_sentences(
        f"Revision {pin.revision} {serves}: the command `rollback` holds it against the spec,"
        f" which asks for {pin.spec_revision}",
        serving.message,
        "Change the spec, or command `resume` to follow it as it is",
    )
    return ReadyState("False", Reason.PINNED, message, stalled=Reason.PINNED)


def _failed(situation: ConditionInput) -> ReadyState | None:
    """The target was stopped before; its evidence is in the last rollout, if that was its."""
    status = situation.status
    if status.target is None or status.stable is None:
        return None
    if status.target.revision == status.stable.revision:
        return None
    failed = failed_record(status, status.target.revision)
    if failed is None:
        return None
    last = status.last_rollout
    why = f": {last.message}" if last and last.revision == failed.revision else ""
    return ReadyState(
        "False",
        Reason.CANARY_FAILED,
        join_sentences(
            f"Revision {failed.revision} was stopped ({failed.reason}){why}",
            f"Revision {status.stable.revision} serves",
            "Change the spec, or command `retry`",
        ),
        stalled=Reason.CANARY_FAILED,
    )


def _serving(situation: ConditionInput) -> ReadyState:
    pods, route, wanted = situation.serving, situation.facts.route, situation.facts.replicas
    if wanted == 0:
        return ReadyState("True", Reason.SCALED_TO_ZERO, "spec.replicas is 0: nothing serves.")
    if pods.ready_endpoints == 0:
        reason = pods.cause if pods.cause in NEEDS_HELP else Reason.UNAVAILABLE
        return ReadyState("False", reason, join_sentences("No pod is ready", pods.message))
    if route.refused or (not route.accepted and situation.route_overdue):
        message = join_sentences(route.message, _cure(situation))
        return ReadyState(
            "False",
            Reason.ROUTE_NOT_ACCEPTED,
            message,
            reconciling=Reason.ROUTE_NOT_ACCEPTED,
        )
    if told := active_conflict(situation.status):
        return ReadyState(
            "Unknown", Reason.ROUTE_CONFLICT, told, reconciling=Reason.ROUTE_CONFLICT
        )
    live = route.applied and route.accepted and pods.ready_endpoints >= wanted
    if live or situation.was_ready:
        return ReadyState("True", Reason.SERVING, f"Revision {pods.revision} serves all requests.")
    message = f"{pods.ready_endpoints} of {wanted} pods of revision {pods.revision} are ready."
    if pods.ready_endpoints >= wanted:
        message = f"Revision {pods.revision} is ready; its route is not accepted yet."
    return ReadyState(
        "Unknown",
        Reason.DEPLOYING,
        join_sentences(message, pods.message),
        reconciling=Reason.DEPLOYING,
    )


def _cure(situation: ConditionInput) -> str:
    """Say what to do about a route that is not accepted."""
    gateway = situation.deployment.spec.expose.gateway
    if situation.facts.route.blocked:
        return ""  # the message says it
    if gateway is not None and gateway.route_ref is not None:
        return f"Check spec.parentRefs of the HTTPRoute {gateway.route_ref.name!r}"
    return (
        "Check spec.expose.gateway.parentRefs: the Gateway must exist and allow routes from this"
        " namespace"
    )


def _available(situation: ConditionInput) -> Condition:
    """Say whether clients are served by any revision at all."""
    shares = [(revision, weight) for revision, weight in weights(situation.status) if weight]
    serving = [
        (revision, weight)
        for revision, weight in shares
        if situation.facts.workload(revision).ready_endpoints > 0
    ]
    before, rollout = situation.before(ConditionType.AVAILABLE), situation.status.rollout
    was = before is not None and before.status == "True"
    route = situation.facts.route
    # A gateway takes a moment to answer to a new generation and serves the old one meanwhile.
    reachable = not route.refused and (route.accepted or was)
    if serving and reachable:
        told = " and ".join(f"{revision} ({weight} %)" for revision, weight in serving)
        return _condition(
            situation, ConditionType.AVAILABLE, "True", Reason.SERVING, f"Serving: {told}."
        )
    if serving:
        reason, message = Reason.ROUTE_NOT_ACCEPTED, "No gateway has accepted the route."
    elif situation.facts.replicas == 0:
        reason, message = Reason.SCALED_TO_ZERO, "The spec asks for no pod."
    elif situation.status.stable is None:
        reason, message = Reason.DEPLOYING, "Nothing serves yet."
    elif rollout is not None and rollout.strategy is Strategy.RECREATE:
        reason = Reason.RECREATING
        message = (
            f"No pod is ready: by strategy Recreate {rollout.base} and {rollout.revision} do not"
            " run at the same time."
        )
    else:
        reason, message = Reason.UNAVAILABLE, "No pod is ready."
    return _condition(situation, ConditionType.AVAILABLE, "False", reason, message)


def _condition(
    situation: ConditionInput,
    type_: ConditionType,
    status: ConditionStatus,
    reason: str,
    message: str,
) -> Condition:
    before = situation.before(type_)
    same = before is not None and before.status == status
    return Condition(
        type=type_,
        status=status,
        reason=str(reason),
        message=truncate(message),
        observed_generation=situation.deployment.metadata.generation,
        last_transition_time=before.last_transition_time if before and same else situation.now,
    )
