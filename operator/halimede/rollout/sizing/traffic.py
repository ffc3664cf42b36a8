"""What a status means for the cluster: the weight and the pods of each revision.

Weights are derived from the status and never read back from the route, which is an output.
"""

from dataclasses import dataclass

from halimede.api.base import RevisionHash
from halimede.api.rollout import Rollout, Strategy
from halimede.api.status import RolloutStatus, State, Status
from halimede.rollout.context import RolloutContext
from halimede.rollout.sizing.pods import canary_replicas, stable_replicas
from halimede.rollout.sizing.replicas import replicas_for_weight
from halimede.rollout.states import GOING_BACK, HEADER_ROUTED, IN_ROUTE, PREVIEWED, SIZED_FOR_STEP
from halimede.rollout.steps import skips_steps


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """Everything besides the spec on which Services and routes depend."""

    weights: tuple[tuple[RevisionHash, int], ...]
    """The revisions in the route, the stable one first, with their percentages."""
    preview: RevisionHash | None
    """The revision behind the preview Service."""
    header_routed: bool
    """Whether requests that match `canary.match` go to the new revision."""
    mirror_percent: int
    """The percentage of requests that are mirrored to the new revision."""


def traffic_plan(status: Status, settings: Rollout) -> TrafficPlan:
    """Return how requests reach the revisions."""
    mirrored = mirror_percent(status, settings)
    return TrafficPlan(weights(status), preview_revision(status), header_routed(status), mirrored)


def weights(status: Status) -> tuple[tuple[RevisionHash, int], ...]:
    """Return the revisions in the route, the stable one first, with their percentages."""
    rollout = status.rollout
    if rollout is None:
        return tuple((revision, 100) for revision in _serving_revisions(status))
    if rollout.strategy is Strategy.RECREATE:
        # Only one of the two has pods, or is to have some.
        switched = rollout.weight > 0 or rollout.state is State.DRAINING
        return ((rollout.revision if switched else rollout.base, 100),)
    if rollout.state is State.DRAINING:
        return ((rollout.revision, 100),)
    if rollout.state not in IN_ROUTE:
        return ((rollout.base, 100),)
    return ((rollout.base, 100 - rollout.weight), (rollout.revision, rollout.weight))


def is_canary(status: Status) -> bool:
    """Whether a canary is under way, which without a router splits requests by numbers of pods."""
    return status.rollout is not None and status.rollout.strategy is Strategy.CANARY


def revisions_with_workloads(status: Status) -> frozenset[RevisionHash]:
    """Return the revisions whose children must exist."""
    revisions = {*_serving_revisions(status), *(entry.revision for entry in status.warm_revisions)}
    if status.rollout is not None:
        revisions |= {status.rollout.base, status.rollout.revision}
    return frozenset(revisions)


def revisions_to_keep(status: Status) -> frozenset[RevisionHash]:
    """Return the revisions of which at least the record is kept.

    The target's is kept even after it was aborted: it shows that a later version of the operator
    renders the same spec, which is not to be tried again.
    """
    named = {one.revision for one in (status.pinned, status.target) if one is not None}
    return revisions_with_workloads(status) | named | {one.revision for one in status.history}


def preview_revision(status: Status) -> RevisionHash | None:
    """Return the revision behind the preview Service: blue-green's new one until the commit."""
    rollout = status.rollout
    if rollout is None or rollout.strategy is not Strategy.BLUE_GREEN:
        return None
    return rollout.revision if rollout.state in PREVIEWED else None


def header_routed(status: Status) -> bool:
    """Whether requests that match `canary.match` go to the new revision."""
    rollout = status.rollout
    if rollout is None or rollout.strategy is not Strategy.CANARY or rollout.steps == 0:
        return False
    return rollout.state in HEADER_ROUTED


def mirror_percent(status: Status, settings: Rollout) -> int:
    """Return the percentage of users' requests that are mirrored to the new revision."""
    state = status.rollout.state if status.rollout else None
    mirror, analysis = settings.canary.mirror, settings.blue_green.preview_analysis
    if state is State.MIRRORING and mirror:
        return mirror.percent
    return analysis.mirror_percent if state is State.AWAITING_PROMOTION and analysis else 0


def hpa_target(status: Status) -> RevisionHash | None:
    """Return the revision whose Deployment the autoscaler scales: the stable one."""
    return next(iter(_serving_revisions(status)), None)


def replicas(ctx: RolloutContext, revision: RevisionHash, *, autoscaled: bool) -> int | None:
    """Return `spec.replicas` of a revision's Deployment; None: it is left as it is."""
    rollout, count = ctx.status.rollout, ctx.facts.replicas
    if rollout is not None and rollout.strategy is Strategy.RECREATE:
        return _recreate_replicas(ctx, rollout, revision, autoscaled=autoscaled)
    if rollout is not None and revision == rollout.base and ctx.replaces_pods:
        return _stable_replicas_when_replacing(ctx, rollout)
    if rollout is not None and revision == rollout.base and not autoscaled:
        return stable_replicas(ctx)
    if rollout is None or revision != rollout.revision or rollout.state is State.DRAINING:
        return None if autoscaled else count
    if rollout.state in GOING_BACK:
        return _aborted_replicas(ctx, rollout)
    return _canary_replicas(ctx, rollout)


def _recreate_replicas(
    ctx: RolloutContext, rollout: RolloutStatus, revision: RevisionHash, *, autoscaled: bool
) -> int | None:
    """Give pods to one revision at a time, and without an autoscaler, which stops at 0 pods."""
    new, count = revision == rollout.revision, ctx.facts.replicas
    match rollout.state:
        case State.STOPPING if ctx.clocks_stopped and not new:
            return ctx.facts.workload(revision).desired
        case State.STOPPING:
            return 0
        case State.ABORTING | State.ABORT_DRAINING:
            return 0 if new else count
        case State.DRAINING if new and autoscaled:
            return None
        case _:
            return count if new else 0


def _stable_replicas_when_replacing(ctx: RolloutContext, rollout: RolloutStatus) -> int:
    """Grow stable into the room that the canary leaves, and shrink it by the replaced pods."""
    count = ctx.facts.replicas
    if rollout.state is State.DRAINING:
        return min(1, count)
    back = rollout.state in GOING_BACK
    # Room that the canary is to leave counts only once its Deployment is observed to leave it.
    taken = max(ctx.canary.desired, 0 if back else _canary_replicas(ctx, rollout))
    kept = count if back else count - rollout.replaced_replicas
    return max(min(1, count), min(kept, max(ctx.stable.desired, count + 1 - taken)))


def _aborted_replicas(ctx: RolloutContext, rollout: RolloutStatus) -> int:
    """Keep the pods of an aborted revision, but no more than full scale."""
    count = ctx.facts.replicas
    kept = min(ctx.facts.workload(rollout.revision).desired, count)
    if ctx.replaces_pods and ctx.route_settled and rollout.weight > 0:
        # One less than its weight needs, to make room for one pod of the stable revision.
        return min(kept, max(1, count - ctx.stable.ready_endpoints - 1))
    return kept


def _canary_replicas(ctx: RolloutContext, rollout: RolloutStatus) -> int:
    """Never scale the canary down, except by a step's `scale`.

    If the numbers of pods make the weight, it has exactly as many as the step needs.
    """
    scaled = ctx.step is not None and ctx.step.scale is not None and not ctx.replaces_pods
    exact = ctx.step is not None and (ctx.weight_by_replicas or scaled)
    if exact and rollout.state in SIZED_FOR_STEP:
        return canary_replicas(ctx)
    if rollout.state is State.STARTING and not skips_steps(rollout):
        return canary_replicas(ctx)
    count = ctx.facts.replicas
    kept = count
    if ctx.replaces_pods:
        before = 0 if ctx.route_settled else rollout.weight_before
        kept = replicas_for_weight(max(rollout.weight, before), count)
    return max(canary_replicas(ctx), min(ctx.canary.desired, kept))


def _serving_revisions(status: Status) -> tuple[RevisionHash, ...]:
    serving = status.stable or status.target
    return (serving.revision,) if serving else ()
