"""What a status means for the cluster: who gets which share, and how many pods.

Weights are derived from the status and never read back from the route, which is an output.
"""

from dataclasses import dataclass

from halimede.api.base import RevisionHash
from halimede.api.rollout import Rollout, Strategy
from halimede.api.status import RolloutStatus, State, Status
from halimede.rollout.context import GROWING, RolloutContext
from halimede.rollout.sizing.replicas import replicas_for_weight
from halimede.rollout.steps import skips_steps

OUT_OF_THE_ROUTE = frozenset({State.STARTING, State.ABORT_DRAINING})
"""The states in which the route does not know the new revision."""
GOING_BACK = frozenset({State.ABORTING, State.ABORT_DRAINING})
PREVIEWED = frozenset({State.AWAITING_PROMOTION, State.SCALING_UP, State.PROMOTING, State.BAKING})
TESTED = frozenset(
    {
        State.MIRRORING,
        State.SHIFTING,
        State.ANALYSING,
        State.STEP_PAUSED,
        State.SCALING_UP,
        State.PROMOTING,
        State.BAKING,
    }
)
"""The states in which testers meet the new revision; out of each of them it is shed."""


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """All that what leads clients to the revisions depends on, besides the spec."""

    weights: tuple[tuple[RevisionHash, int], ...]
    """The revisions that the route knows, the stable one first, with their percentages."""
    preview: RevisionHash | None
    """The revision that the preview shows."""
    header_routed: bool
    """Whether requests that `canary.match` tells go to the new revision."""
    mirror_percent: int
    """The percentage of requests of which the new revision gets copies."""


def traffic_plan(status: Status, settings: Rollout) -> TrafficPlan:
    """Say who gets what."""
    copied = mirror_percent(status, settings)
    return TrafficPlan(weights(status), preview_revision(status), header_routed(status), copied)


def weights(status: Status) -> tuple[tuple[RevisionHash, int], ...]:
    """List the revisions that the route knows, the stable one first, with their percentages."""
    rollout = status.rollout
    if rollout is None:
        return tuple((revision, 100) for revision in _serving(status))
    if rollout.strategy is Strategy.RECREATE:
        # Only one of them has pods, or is to have some.
        moved = rollout.weight > 0 or rollout.state is State.DRAINING
        return ((rollout.revision if moved else rollout.base, 100),)
    if rollout.state is State.DRAINING:
        return ((rollout.revision, 100),)
    if rollout.state in OUT_OF_THE_ROUTE:
        return ((rollout.base, 100),)
    return ((rollout.base, 100 - rollout.weight), (rollout.revision, rollout.weight))


def is_canary(status: Status) -> bool:
    """Whether revisions with a share of the traffic may be told apart by their pods alone."""
    return status.rollout is not None and status.rollout.strategy is Strategy.CANARY


def revisions_with_workloads(status: Status) -> frozenset[RevisionHash]:
    """Name the revisions whose children must be there."""
    revisions = {*_serving(status), *(one.revision for one in status.warm_revisions)}
    if status.rollout is not None:
        revisions |= {status.rollout.base, status.rollout.revision}
    return frozenset(revisions)


def revisions_to_keep(status: Status) -> frozenset[RevisionHash]:
    """Name the revisions of which at least the record is kept."""
    pinned = {status.pinned.revision} if status.pinned else set()
    return revisions_with_workloads(status) | pinned | {one.revision for one in status.history}


def preview_revision(status: Status) -> RevisionHash | None:
    """Name the revision that the preview Service shows: blue-green's, until it is committed."""
    rollout = status.rollout
    if rollout is None or rollout.strategy is not Strategy.BLUE_GREEN:
        return None
    return rollout.revision if rollout.state in PREVIEWED else None


def header_routed(status: Status) -> bool:
    """Whether requests that `canary.match` tells go to the new revision."""
    rollout = status.rollout
    if rollout is None or rollout.strategy is not Strategy.CANARY or rollout.steps == 0:
        return False
    return rollout.state in TESTED


def mirror_percent(status: Status, settings: Rollout) -> int:
    """Say of what percentage of users' requests the new revision gets copies."""
    state = status.rollout.state if status.rollout else None
    mirror, analysis = settings.canary.mirror, settings.blue_green.preview_analysis
    if state is State.MIRRORING and mirror:
        return mirror.percent
    return analysis.mirror_percent if state is State.AWAITING_PROMOTION and analysis else 0


def hpa_target(status: Status) -> RevisionHash | None:
    """Name the revision whose Deployment the autoscaler scales: the stable one."""
    return next(iter(_serving(status)), None)


def replicas(ctx: RolloutContext, revision: RevisionHash, *, autoscaled: bool) -> int | None:
    """Say how many pods a revision's Deployment asks for; None: that is left as it is."""
    rollout, count = ctx.status.rollout, ctx.facts.replicas
    if rollout is not None and rollout.strategy is Strategy.RECREATE:
        return _recreated(ctx, rollout, revision, autoscaled=autoscaled)
    if rollout is not None and revision == rollout.base and ctx.replaces_pods:
        return _stable_when_replacing(ctx, rollout)
    if rollout is not None and revision == rollout.base and not autoscaled:
        return ctx.stable_replicas
    if rollout is None or revision != rollout.revision or rollout.state is State.DRAINING:
        return None if autoscaled else count
    if rollout.state in GOING_BACK:
        return _aborted(ctx, rollout)
    return _canary(ctx, rollout)


def _recreated(
    ctx: RolloutContext, rollout: RolloutStatus, revision: RevisionHash, *, autoscaled: bool
) -> int | None:
    """Never give pods to both. None of them is left to an autoscaler, which stops at zero."""
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


def _stable_when_replacing(ctx: RolloutContext, rollout: RolloutStatus) -> int:
    """The stable revision grows into what the other leaves, and shrinks by what it gives up."""
    count = ctx.facts.replicas
    if rollout.state is State.DRAINING:
        return min(1, count)
    back = rollout.state in GOING_BACK
    # What the other was told to leave is free once it was seen to.
    taken = max(ctx.canary.desired, 0 if back else _canary(ctx, rollout))
    kept = count if back else count - rollout.replaced_replicas
    return max(min(1, count), min(kept, max(ctx.stable.desired, count + 1 - taken)))


def _aborted(ctx: RolloutContext, rollout: RolloutStatus) -> int:
    """A stopped revision keeps its pods, at most what it had been given them for."""
    count = ctx.facts.replicas
    kept = min(ctx.facts.workload(rollout.revision).desired, count)
    if ctx.replaces_pods and ctx.route_settled and rollout.weight > 0:
        # One less than its share needs, so that there is room for one of the stable revision's.
        return min(kept, max(1, count - ctx.stable.ready_endpoints - 1))
    return kept


def _canary(ctx: RolloutContext, rollout: RolloutStatus) -> int:
    """A rollout never takes pods from a revision that it has given them, but by a step's scale.

    Where the share is that of the pods, there are as many as the step needs.
    """
    scaled = ctx.step is not None and ctx.step.scale is not None and not ctx.replaces_pods
    exact = ctx.step is not None and (ctx.weight_by_replicas or scaled)
    if exact and rollout.state in GROWING:
        return ctx.canary_replicas
    if rollout.state is State.STARTING and not skips_steps(rollout):
        return ctx.canary_replicas
    count = ctx.facts.replicas
    kept = count
    if ctx.replaces_pods:
        before = 0 if ctx.route_settled else rollout.weight_before
        kept = replicas_for_weight(max(rollout.weight, before), count)
    return max(ctx.canary_replicas, min(ctx.canary.desired, kept))


def _serving(status: Status) -> tuple[RevisionHash, ...]:
    serving = status.stable or status.target
    return (serving.revision,) if serving else ()
