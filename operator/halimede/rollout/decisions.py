"""The decisions that checks make: wait, enter a state, set a weight, stop, promote, finish."""

from dataclasses import replace
from typing import Any

from halimede.api.reasons import AbortReason, EventReason, NotReadyReason, Reason
from halimede.api.rollout import Strategy
from halimede.api.status import (
    MOST_FAILED,
    MOST_WARM,
    FailedRevision,
    FinishedRollout,
    Outcome,
    RolloutStatus,
    State,
    Status,
    WarmRevision,
)
from halimede.judge.evidence import summarise
from halimede.rollout.context import Decision, RolloutContext, WaitReason
from halimede.rollout.events import Event, join_sentences, normal, warning
from halimede.rollout.revision_history import make_stable, mark_rolled_back, repin_to
from halimede.rollout.sizing.replicas import FULL_WEIGHT, weight_on_abort


def with_rollout(status: Status, **changes: Any) -> Status:
    """Return the status with changed fields of the rollout under way.

    Raises:
        LookupError: No rollout is under way.
    """
    if status.rollout is None:
        raise LookupError("no rollout is under way")
    return status.evolve(rollout=status.rollout.evolve(**changes))


def wait(ctx: RolloutContext, reason: Reason | NotReadyReason, *parts: str) -> Decision:
    """Stay in the state, and report why."""
    return Decision(ctx.status, wait=WaitReason(reason, join_sentences(*parts)))


def enter(ctx: RolloutContext, state: State, *events: Event, **changes: Any) -> Decision:
    """Go to *state*, which is progress; for another weight or set of backends use `set_weight`."""
    fields = {"state": state, "state_since": ctx.now, "last_progress_at": ctx.now}
    return Decision(with_rollout(ctx.status, **{**fields, **changes}), events)


def set_weight(
    ctx: RolloutContext, state: State, weight: int, *events: Event, **changes: Any
) -> Decision:
    """Go to *state* and set *weight*; when it is live is still to be observed."""
    fields = {"weight": weight, "weight_before": ctx.rollout.weight, "weight_applied_at": None}
    return enter(ctx, state, *events, **{**fields, **changes})


def undo_raise(ctx: RolloutContext, state: State) -> Decision:
    """Go to *state* with the weight before a raise that was never written to the route."""
    before = ctx.rollout.weight_before
    return set_weight(ctx, state, before, weight_before=before)


def drop_control(ctx: RolloutContext, *events: Event) -> Decision:
    """Shift the control share to the new revision for the rest of the rollout.

    The bake's time continues to run. `weight_before` is set as well, so that the change is not
    reverted if the operator is killed before it writes the route.
    """
    status = with_rollout(
        ctx.status,
        weight=FULL_WEIGHT,
        weight_before=FULL_WEIGHT,
        weight_applied_at=None,
        control_dropped_at=ctx.now,
    )
    return Decision(status, events)


def stop(ctx: RolloutContext, outcome: Outcome, reason: AbortReason, *parts: str) -> Decision:
    """End the rollout before the commit: all traffic goes back to the stable revision."""
    message = join_sentences(*parts)
    status = with_rollout(
        ctx.status, outcome=outcome, reason=reason, message=message, decided_at=ctx.now
    )
    if outcome is Outcome.ABORTED:
        if reason is not AbortReason.INVALID_RECORD:
            status = _record_failure(status, ctx.rollout, reason, ctx.now)
        event = warning(
            EventReason.ROLLOUT_ABORTED, f"{_revision_text(ctx.rollout)}: {reason}: {message}"
        )
    else:
        event = normal(
            EventReason(f"Rollout{outcome}"), f"{_revision_text(ctx.rollout)}: {message}"
        )
    after = replace(ctx, status=status)
    if ctx.rollout.strategy is Strategy.RECREATE and ctx.rollout.weight == 0:
        return enter(after, State.ABORT_DRAINING, event)
    if ctx.rollout.state is State.STARTING:
        # The revision was never in the route, so there is nothing to move and nothing to drain.
        return finish(after, event)
    return set_weight(after, State.ABORTING, abort_weight(after), event)


def abort(ctx: RolloutContext, reason: AbortReason, *parts: str) -> Decision:
    """Abort the rollout because of its revision, which is not tried again unless commanded.

    An invalid record says nothing about the revision: it is tried again once it is restored.
    """
    return stop(ctx, Outcome.ABORTED, reason, *parts)


def abort_weight(ctx: RolloutContext) -> int:
    """Return the weight that the aborted revision has to keep for now; usually 0."""
    return weight_on_abort(
        ctx.rollout.weight,
        stable_ready=ctx.stable.ready_endpoints,
        canary_ready=ctx.canary.ready_endpoints,
        replicas=ctx.facts.replicas,
    )


def promote(ctx: RolloutContext, *parts: str) -> Decision:
    """Make the revision stable; the old one stays warm for `scaleDownDelaySeconds`."""
    rollout = ctx.rollout
    until = ctx.now + ctx.settings.scale_down_delay_seconds
    # If pods were replaced, the old revision has none left to keep warm.
    gone = ctx.replaces_pods or rollout.strategy is Strategy.RECREATE
    warm = () if gone else (WarmRevision(revision=rollout.base, warm_until=until),)
    event = normal(
        EventReason.PROMOTED, f"{_revision_text(rollout)} is stable and serves all requests."
    )
    outcome = rollout.outcome or Outcome.PROMOTED
    decision = set_weight(
        ctx,
        State.DRAINING,
        100,
        event,
        outcome=outcome,
        reason=str(outcome),
        message=join_sentences(rollout.message or "Every step passed.", *parts),
        decided_at=ctx.now,
    )
    others = (
        entry
        for entry in decision.status.warm_revisions
        if entry.revision not in (rollout.base, rollout.revision)
    )
    status = decision.status.evolve(warm_revisions=(*others, *warm)[-MOST_WARM:])
    return Decision(make_stable(status, rollout.revision, ctx.settings, ctx.now), decision.events)


def finish(ctx: RolloutContext, *events: Event) -> Decision:
    """End the rollout and store its result."""
    rollout = ctx.rollout
    finished = FinishedRollout(
        id=rollout.id,
        strategy=rollout.strategy,
        revision=rollout.revision,
        outcome=rollout.outcome or Outcome.ABORTED,
        reason=rollout.reason or "",
        message=rollout.message or "",
        started_at=rollout.started_at,
        decided_at=rollout.decided_at,
        ended_at=ctx.now,
        evidence=rollout.evidence and summarise(rollout.evidence),
    )
    return Decision(ctx.status.evolve(rollout=None, last_rollout=finished), events)


def _record_failure(
    status: Status, rollout: RolloutStatus, reason: AbortReason, now: float
) -> Status:
    failure = FailedRevision(revision=rollout.revision, reason=reason, at=now)
    others = (entry for entry in status.failed_revisions if entry.revision != rollout.revision)
    status = repin_to(mark_rolled_back(status, rollout.revision, now), rollout.base)
    return status.evolve(failed_revisions=(*others, failure)[-MOST_FAILED:])


def _revision_text(rollout: RolloutStatus) -> str:
    return f"Revision {rollout.revision}"
