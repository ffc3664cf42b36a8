"""Build the conditions of a ModelDeployment.

| situation | Ready | Available | Reconciling | Stalled |
|---|---|---|---|---|
| the first revision is starting | Unknown Deploying | False | True | |
| the model's digest is not known yet | Unknown ResolvingModel | unchanged | True | |
| the model's digest cannot be determined | False ModelUnresolved | unchanged | | True |
| its pods need help | False, the cause | False | True | after the deadline |
| the stable revision serves | True Serving | True | | |
| a rollout is in progress | Unknown RollingOut | True | True | |
| no data, or Prometheus is unavailable | Unknown MetricsHold | True | True | |
| the rollout waits for a user | Unknown Paused | True | True Paused | |
| an aborted rollout returns traffic | False CanaryFailed | True | True RollingBack | |
| `rollback` pins an earlier revision | False Pinned | True | | True |
| Recreate replaces the revision | Unknown Recreating | False Recreating | True | |
| the canary failed, stable serves | False CanaryFailed | True | | True |
| the spec is invalid | False InvalidSpec | unchanged | | True |
| foreign objects have names of children | False NameTaken | unchanged, or False | | True |
| the record of a revision is invalid | False InvalidRecord | unaffected | unaffected | True |
| a child cannot be written | False ApplyFailed | unchanged | True | |
| no gateway accepts the route | False RouteNotAccepted | False | True | |
| another field manager writes the route | Unknown RouteConflict | True | True | |
| stable has no ready pod | False Unavailable | False | | |

`Vulnerable` is True in any of these situations if the spec accepts a vulnerable version of Triton.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from halimede.api.base import Manifest, RevisionHash
from halimede.api.conditions import Condition, ConditionStatus, ConditionType
from halimede.api.reasons import NotReadyReason, Reason
from halimede.api.rollout import Strategy
from halimede.api.status import Outcome, Status
from halimede.api.v1alpha1 import ModelDeployment
from halimede.plan.foreign import describe, is_leftover
from halimede.plan.status_limits import truncate
from halimede.plan.vulnerable_version import describe_acceptance
from halimede.rollout.checks.start import failed_record
from halimede.rollout.checks.waits import ROUTE_WAIT_SECONDS
from halimede.rollout.context import UNKNOWN_MODEL, Unresolved, WaitReason
from halimede.rollout.events import join_sentences
from halimede.rollout.facts import NEEDS_HELP, Facts, Workload
from halimede.rollout.route_conflict import active_conflict
from halimede.rollout.sizing.traffic import revisions_to_keep, weights

_NO_POD = "has no ready pod"
NOT_RUNNING = frozenset({Reason.UNAVAILABLE, Reason.ROUTE_NOT_ACCEPTED})


@dataclass(frozen=True, slots=True)
class ConditionInput:
    """Everything that the conditions depend on."""

    deployment: ModelDeployment
    status: Status
    """The new status, still with the old conditions."""
    facts: Facts
    wait: WaitReason | None
    invalid: str | None
    """What is wrong with the spec, and what to do; None: it is valid."""
    unresolved: Unresolved | None
    """Why the spec's revision is not known; None: it is."""
    apply_errors: Mapping[str, str]
    taken: tuple[Manifest, ...]
    """Foreign objects that have names of children."""
    lost: tuple[str, ...]
    """Revisions that should have pods but whose records are gone or invalid."""
    now: float

    @property
    def serving(self) -> Workload:
        """The workload of the stable revision, or of the first one."""
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
        """Whether the first revision has exceeded its progress deadline."""
        target = self.status.target
        deadline = self.deployment.spec.rollout.progress_deadline_seconds
        since = target.since if target else None
        return since is not None and self.now - since >= deadline

    @property
    def route_overdue(self) -> bool:
        """Whether the route has waited too long to be accepted."""
        since = self.facts.route.since
        return since is not None and self.now - since >= ROUTE_WAIT_SECONDS

    @property
    def invalid_records(self) -> tuple[str, ...]:
        """What is wrong with the records of revisions that are kept, and what to do."""
        kept, invalid = revisions_to_keep(self.status), self.facts.invalid_records
        return tuple(message for revision, message in invalid.items() if revision in kept)

    def before(self, type_: ConditionType) -> Condition | None:
        """Return the old condition of a type."""
        return next((one for one in self.status.conditions if one.type is type_), None)


@dataclass(frozen=True, slots=True)
class ReadyState:
    """Status, reasons and message of the conditions; None: the condition is absent."""

    ready: ConditionStatus
    reason: Reason | NotReadyReason
    message: str
    reconciling: Reason | NotReadyReason | None = None
    stalled: Reason | NotReadyReason | None = None


def build_conditions(situation: ConditionInput) -> tuple[Condition, ...]:
    """Build all conditions. A transition time changes only with its condition's status."""
    state = ready_state(situation)
    message = state.message + "".join(
        f" The record of revision {revision} is lost: its Deployment is kept unchanged."
        for revision in situation.lost
        if revision not in situation.facts.invalid_records
    )
    ready: tuple[ConditionStatus, Reason | NotReadyReason, str]
    ready, stalled = (state.ready, state.reason, message), state.stalled
    if faults := situation.invalid_records:
        ready = "False", Reason.INVALID_RECORD, join_sentences(*faults, message)
        stalled = stalled or Reason.INVALID_RECORD
    conditions = [
        _condition(situation, ConditionType.READY, *ready),
        _available(situation),
    ]
    if state.reconciling is not None:
        conditions.append(
            _condition(situation, ConditionType.RECONCILING, "True", state.reconciling, message)
        )
    if stalled is not None:
        text = ready[2] if stalled is Reason.INVALID_RECORD else message
        conditions.append(_condition(situation, ConditionType.STALLED, "True", stalled, text))
    if accepted := describe_acceptance(situation.deployment.spec.runtime):
        reason = Reason.VULNERABLE_VERSION
        conditions.append(
            _condition(situation, ConditionType.VULNERABLE, "True", reason, accepted)
        )
    return tuple(conditions)


def ready_state(situation: ConditionInput) -> ReadyState:
    """Compute whether the spec is fully live, and if not, why. The worst problem comes first."""
    if situation.invalid is not None:
        return ReadyState(
            "False", Reason.INVALID_SPEC, situation.invalid, stalled=Reason.INVALID_SPEC
        )
    if situation.taken:
        return _name_taken(situation)
    if situation.apply_errors:
        message = _apply_errors(situation)
        return ReadyState("False", Reason.APPLY_FAILED, message, reconciling=Reason.APPLY_FAILED)
    if situation.status.rollout is not None:
        return _rolling_out(situation)
    if situation.status.stable is None:
        return _unresolved(situation) or _first_revision(situation)
    return (
        _pinned(situation) or _unresolved(situation) or _failed(situation) or _serving(situation)
    )


def _name_taken(situation: ConditionInput) -> ReadyState:
    """Describe the foreign objects; those that the garbage collector deletes need no help."""
    md, taken = situation.deployment, situation.taken
    message = join_sentences(describe(taken, md), _apply_errors(situation))
    if all(is_leftover(manifest, md) for manifest in taken):
        return ReadyState("False", Reason.NAME_TAKEN, message, reconciling=Reason.NAME_TAKEN)
    return ReadyState("False", Reason.NAME_TAKEN, message, stalled=Reason.NAME_TAKEN)


def _apply_errors(situation: ConditionInput) -> str:
    return "; ".join(f"{what}: {why}" for what, why in situation.apply_errors.items())


def _rolling_out(situation: ConditionInput) -> ReadyState:
    rollout = situation.status.rollout
    if rollout is not None and rollout.outcome is Outcome.ABORTED:
        message = f"Revision {rollout.revision} is being aborted: {rollout.message}"
        return ReadyState("False", Reason.CANARY_FAILED, message, reconciling=Reason.ROLLING_BACK)
    wait = situation.wait
    if wait is None:
        revision = rollout.revision if rollout else ""
        state = rollout.state if rollout else ""
        wait = WaitReason(
            Reason.ROLLING_OUT, f"Revision {revision} is being rolled out ({state})."
        )
    return ReadyState("Unknown", wait.reason, wait.message, reconciling=wait.reason)


def _unresolved(situation: ConditionInput) -> ReadyState | None:
    """Describe why the digest of the model's files is not known, if it is not."""
    unresolved = situation.unresolved
    if unresolved is None:
        return None
    reason, message = unresolved.why.reason, unresolved.why.message
    serves = _what_serves(situation)
    if unresolved.failed:
        message = join_sentences(message, serves, "Change the spec, or use the command `retry`")
        return ReadyState("False", reason, message, stalled=reason)
    if reason in NEEDS_HELP:
        return ReadyState("False", reason, join_sentences(message, serves), reconciling=reason)
    return ReadyState(
        "Unknown",
        Reason.RESOLVING,
        join_sentences(message, serves),
        reconciling=Reason.RESOLVING,
    )


def _what_serves(situation: ConditionInput) -> str:
    """Say whether the stable revision serves; empty: there is none."""
    stable, serving = situation.status.stable, situation.serving
    if stable is None:
        return ""
    return f"Revision {stable.revision} {'serves' if serving.ready_endpoints else _NO_POD}"


def _first_revision(situation: ConditionInput) -> ReadyState:
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
    """Describe a pinned revision that differs from the spec, and how to unpin it."""
    pin, serving, unresolved = situation.status.pinned, situation.serving, situation.unresolved
    if pin is None or serving.revision != pin.revision:
        return None
    if unresolved is None and pin.revision == pin.spec_revision:
        return None
    serves = "serves" if serving.ready_endpoints else _NO_POD
    asked_for = UNKNOWN_MODEL if unresolved else pin.spec_revision
    message = join_sentences(
        f"Revision {pin.revision} is pinned by the command `rollback` and {serves}, while the"
        f" spec asks for {asked_for}",
        serving.message,
        unresolved.why.message if unresolved else "",
        "Change the spec, or use the command `resume` to roll out the current one",
    )
    return ReadyState("False", Reason.PINNED, message, stalled=Reason.PINNED)


def _failed(situation: ConditionInput) -> ReadyState | None:
    """Describe a target whose rollout was aborted, with the message if it was the last rollout."""
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
            f"Revision {failed.revision} was aborted ({failed.reason}){why}",
            _what_serves(situation),
            "Change the spec, or use the command `retry`",
        ),
        stalled=Reason.CANARY_FAILED,
    )


def _serving(situation: ConditionInput) -> ReadyState:
    pods, route, replicas = situation.serving, situation.facts.route, situation.facts.replicas
    if replicas == 0:
        return ReadyState(
            "True", Reason.SCALED_TO_ZERO, "spec.replicas is 0: no requests are served."
        )
    if pods.ready_endpoints == 0:
        reason = pods.cause if pods.cause in NEEDS_HELP else Reason.UNAVAILABLE
        return ReadyState("False", reason, join_sentences("No pod is ready", pods.message))
    if route.rejected or (not route.accepted and situation.route_overdue):
        message = join_sentences(route.message, _route_remedy(situation))
        return ReadyState(
            "False",
            Reason.ROUTE_NOT_ACCEPTED,
            message,
            reconciling=Reason.ROUTE_NOT_ACCEPTED,
        )
    if conflict := active_conflict(situation.status):
        return ReadyState(
            "Unknown", Reason.ROUTE_CONFLICT, conflict, reconciling=Reason.ROUTE_CONFLICT
        )
    live = route.applied and route.accepted and pods.ready_endpoints >= replicas
    if live or situation.was_ready:
        return ReadyState("True", Reason.SERVING, f"Revision {pods.revision} serves all requests.")
    message = f"{pods.ready_endpoints} of {replicas} pods of revision {pods.revision} are ready."
    if pods.ready_endpoints >= replicas:
        message = f"Revision {pods.revision} is ready; its route is not accepted yet."
    return ReadyState(
        "Unknown",
        Reason.DEPLOYING,
        join_sentences(message, pods.message),
        reconciling=Reason.DEPLOYING,
    )


def _route_remedy(situation: ConditionInput) -> str:
    """Return what to do about a route that is not accepted."""
    gateway = situation.deployment.spec.expose.gateway
    if situation.facts.route.blocked:
        return ""  # the message has it
    if gateway is not None and gateway.route_ref is not None:
        return f"Check spec.parentRefs of the HTTPRoute {gateway.route_ref.name!r}"
    return (
        "Check spec.expose.gateway.parentRefs: the Gateway must exist and allow routes from this"
        " namespace"
    )


def _available(situation: ConditionInput) -> Condition:
    """Build Available: whether any revision serves clients."""
    revision_weights = [
        (revision, weight) for revision, weight in weights(situation.status) if weight
    ]
    serving = [
        (revision, weight)
        for revision, weight in revision_weights
        if situation.facts.workload(revision).ready_endpoints > 0
    ]
    before, rollout = situation.before(ConditionType.AVAILABLE), situation.status.rollout
    was_available = before is not None and before.status == "True"
    route = situation.facts.route
    # Until a gateway has accepted a new generation, it serves the old one.
    reachable = not route.rejected and (route.accepted or was_available)
    if serving and reachable:
        serving_text = " and ".join(f"{revision} ({weight} %)" for revision, weight in serving)
        return _condition(
            situation, ConditionType.AVAILABLE, "True", Reason.SERVING, f"Serving: {serving_text}."
        )
    if serving and situation.taken and route.blocked:
        reason, message = Reason.NAME_TAKEN, route.message
    elif serving:
        reason, message = Reason.ROUTE_NOT_ACCEPTED, "No gateway has accepted the route."
    elif situation.facts.replicas == 0:
        reason, message = Reason.SCALED_TO_ZERO, "spec.replicas is 0: no requests are served."
    elif situation.status.stable is None:
        reason, message = Reason.DEPLOYING, "No revision serves yet."
    elif rollout is not None and rollout.strategy is Strategy.RECREATE:
        reason = Reason.RECREATING
        message = (
            f"No pod is ready: with strategy Recreate, {rollout.base} and {rollout.revision}"
            " do not run at the same time."
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
