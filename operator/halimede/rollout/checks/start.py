"""The checks while no rollout is under way: they do nothing, or start one."""

from uuid import NAMESPACE_OID, uuid5

from halimede.api.base import RevisionHash
from halimede.api.reasons import EventReason
from halimede.api.rollout import Strategy
from halimede.api.status import FailedRevision, RolloutStatus, State, Status
from halimede.rollout.command import Verb
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.events import normal, warning
from halimede.rollout.revision_history import make_stable, may_skip_steps


def serves_already(ctx: RolloutContext) -> Decision | None:
    """Do nothing if the target is stable already."""
    stable = ctx.status.stable
    if stable is None or stable.revision != ctx.target:
        return None
    return Decision(ctx.status)


def first_deployment(ctx: RolloutContext) -> Decision | None:
    """Make the first revision stable: there is nothing to compare it with or to protect."""
    if ctx.status.stable is not None:
        return None
    target = ctx.target
    if ctx.facts.workload(target).ready_endpoints == 0 and ctx.facts.replicas > 0:
        return Decision(ctx.status)
    event = normal(
        EventReason.FIRST_REVISION, f"Revision {target} is the first one and serves all requests."
    )
    return Decision(_with_stable_target(ctx), (event,) if ctx.facts.replicas else ())


def nothing_is_to_serve(ctx: RolloutContext) -> Decision | None:
    """Make the target stable at 0 replicas, where it can do no harm and give no evidence."""
    return Decision(_with_stable_target(ctx)) if ctx.facts.replicas == 0 else None


def spec_invalid(ctx: RolloutContext) -> Decision | None:
    """Start nothing while the spec is invalid, unless `rollback` has pinned a revision."""
    return Decision(ctx.status) if ctx.goal.invalid and not ctx.status.pinned else None


def source_unresolved(ctx: RolloutContext) -> Decision | None:
    """Start nothing while the spec's revision is unknown, unless `rollback` has pinned one."""
    return Decision(ctx.status) if ctx.goal.unresolved and not ctx.status.pinned else None


def record_invalid(ctx: RolloutContext) -> Decision | None:
    """Start nothing while the target's record is invalid: it begins once that is restored."""
    return Decision(ctx.status) if ctx.target in ctx.facts.invalid_records else None


def failed_before(ctx: RolloutContext) -> Decision | None:
    """Start nothing if the target has failed: it is not tried again without a command."""
    return Decision(ctx.status) if failed_record(ctx.status, ctx.target) else None


def begin(ctx: RolloutContext) -> Decision:
    """Start a rollout to the target; it has no steps if the target was stable before."""
    rollout = new_rollout(ctx)
    recreate = rollout.strategy is Strategy.RECREATE
    back = rollout.steps == 0 and not recreate
    event = normal(
        EventReason.ROLLOUT_STARTED,
        f"Rolling out revision {rollout.revision} (strategy {rollout.strategy}, replacing"
        f" {rollout.base}{', without steps, because it was stable before' if back else ''}).",
    )
    status = ctx.status.evolve(rollout=rollout)
    if recreate or (ctx.goal.no_router and rollout.strategy is Strategy.CANARY):
        # Warm pods take the room of the new pods; and an entry Service that splits by pods would
        # send requests to them.
        status = status.evolve(warm_revisions=())
    if not recreate:
        return Decision(status, (event,))
    outage = warning(
        EventReason.RECREATING,
        f"Stopping revision {rollout.base} before {rollout.revision} starts: no requests are"
        " served in between.",
    )
    return Decision(status, (event, outage))


IDLE = (
    serves_already,
    first_deployment,
    spec_invalid,
    source_unresolved,
    record_invalid,
    nothing_is_to_serve,
    failed_before,
    begin,
)
"""The checks in their order; the last one always decides."""


def failed_record(status: Status, revision: RevisionHash) -> FailedRevision | None:
    """Return the record of a revision's failure; None if it has not failed."""
    return next((entry for entry in status.failed_revisions if entry.revision == revision), None)


def may_begin(ctx: RolloutContext) -> bool:
    """Whether a rollout to the target could begin: it is known, rendered, and has not failed."""
    blocked = (source_unresolved, record_invalid, failed_before)
    return all(check(ctx) is None for check in blocked)


def forget_failure(ctx: RolloutContext) -> Status | None:
    """Return the status without the target's failure; None if `retry` does not apply."""
    command, target = ctx.command, ctx.target
    if command is None or command.verb is not Verb.RETRY:
        return None
    if command.revision not in (None, target) or failed_record(ctx.status, target) is None:
        return None
    others = tuple(entry for entry in ctx.status.failed_revisions if entry.revision != target)
    return ctx.status.evolve(failed_revisions=others)


def new_rollout(ctx: RolloutContext) -> RolloutStatus:
    """Create the status of a rollout that starts now.

    Raises:
        LookupError: There is no stable revision.
    """
    status, target, settings = ctx.status, ctx.target, ctx.settings
    if status.stable is None:
        raise LookupError("there is no stable revision to compare with")
    strategy = settings.strategy
    if strategy is Strategy.RECREATE and any(
        entry.revision == target for entry in status.warm_revisions
    ):
        strategy = Strategy.CANARY  # both of them run, so there is room for both
    steps = {Strategy.CANARY: len(settings.canary.steps), Strategy.BLUE_GREEN: 1}
    recreate = strategy is Strategy.RECREATE
    message = "The old revision was stopped before this one started." if recreate else None
    if back := may_skip_steps(ctx) and not recreate:
        message = "Its steps were skipped, because it was stable before."
    token = status.last_command.token if status.last_command else ""
    seed = f"{ctx.goal.identity}:{target}:{token}"
    return RolloutStatus(
        id=str(uuid5(NAMESPACE_OID, seed)),
        strategy=strategy,
        base=status.stable.revision,
        revision=target,
        state=State.STOPPING if recreate else State.STARTING,
        state_since=ctx.now,
        started_at=ctx.now,
        last_progress_at=ctx.now,
        steps=0 if back else steps.get(strategy, 0),
        replicas=ctx.facts.replicas if recreate else None,
        message=message,
    )


def _with_stable_target(ctx: RolloutContext) -> Status:
    return make_stable(ctx.status, ctx.target, ctx.settings, ctx.now)
