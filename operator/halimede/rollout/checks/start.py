"""What happens while no rollout is under way: nothing, or the begin of one."""

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
    """What is asked for is stable."""
    stable = ctx.status.stable
    if stable is None or stable.revision != ctx.target:
        return None
    return Decision(ctx.status)


def first_deployment(ctx: RolloutContext) -> Decision | None:
    """Nothing has served yet, so there is nothing to compare with and nothing to protect."""
    if ctx.status.stable is not None:
        return None
    target = ctx.target
    if ctx.facts.workload(target).ready_endpoints == 0 and ctx.facts.replicas > 0:
        return Decision(ctx.status)
    event = normal(
        EventReason.FIRST_REVISION, f"Revision {target} is the first and serves all requests."
    )
    return Decision(_with_stable(ctx), (event,) if ctx.facts.replicas else ())


def nothing_is_to_serve(ctx: RolloutContext) -> Decision | None:
    """Scaled to zero, a new revision can do no harm and take no evidence."""
    return Decision(_with_stable(ctx)) if ctx.facts.replicas == 0 else None


def spec_invalid(ctx: RolloutContext) -> Decision | None:
    """Nothing begins while the spec cannot be understood, unless it was commanded."""
    return Decision(ctx.status) if ctx.goal.invalid and not ctx.status.pinned else None


def failed_before(ctx: RolloutContext) -> Decision | None:
    """The revision was stopped before, and is not tried again by itself."""
    return Decision(ctx.status) if failed_record(ctx.status, ctx.target) else None


def begin(ctx: RolloutContext) -> Decision:
    """Start to roll the target out. Back to a revision that served before there are no steps."""
    rollout = new_rollout(ctx)
    recreate = rollout.strategy is Strategy.RECREATE
    back = rollout.steps == 0 and not recreate
    event = normal(
        EventReason.ROLLOUT_STARTED,
        f"Revision {rollout.revision} is to follow {rollout.base} by {rollout.strategy}"
        + (", without steps: it was stable before." if back else "."),
    )
    status = ctx.status.evolve(rollout=rollout)
    if recreate or (ctx.goal.no_router and rollout.strategy is Strategy.CANARY):
        # What is warm stands where the new pods are to be; and behind an entry Service that
        # shares out by pods, all that there are have requests.
        status = status.evolve(warm_revisions=())
    if not recreate:
        return Decision(status, (event,))
    outage = warning(
        EventReason.RECREATING,
        f"Revision {rollout.base} stops before {rollout.revision} starts: no requests are served"
        " meanwhile.",
    )
    return Decision(status, (event, outage))


IDLE = (serves_already, first_deployment, spec_invalid, nothing_is_to_serve, failed_before, begin)
"""Asked in this order; the last one always answers."""


def failed_record(status: Status, revision: RevisionHash) -> FailedRevision | None:
    """Find out whether a revision was stopped before."""
    return next((one for one in status.failed_revisions if one.revision == revision), None)


def forget_failure(ctx: RolloutContext) -> Status | None:
    """Forget the target's failure, if that is commanded."""
    command, target = ctx.command, ctx.target
    if command is None or command.verb is not Verb.RETRY:
        return None
    if command.revision not in (None, target) or failed_record(ctx.status, target) is None:
        return None
    others = tuple(one for one in ctx.status.failed_revisions if one.revision != target)
    return ctx.status.evolve(failed_revisions=others)


def new_rollout(ctx: RolloutContext) -> RolloutStatus:
    """Describe the rollout that begins now."""
    status, target, settings = ctx.status, ctx.target, ctx.settings
    if status.stable is None:
        raise LookupError("there is no stable revision to compare with")
    strategy = settings.strategy
    if strategy is Strategy.RECREATE and any(
        one.revision == target for one in status.warm_revisions
    ):
        strategy = Strategy.CANARY  # both of them run, so there is room for both
    steps = {Strategy.CANARY: len(settings.canary.steps), Strategy.BLUE_GREEN: 1}
    recreate = strategy is Strategy.RECREATE
    message = "The old revision was stopped before it started." if recreate else None
    if back := may_skip_steps(ctx) and not recreate:
        message = "It was stable before, so its steps were skipped."
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


def _with_stable(ctx: RolloutContext) -> Status:
    return make_stable(ctx.status, ctx.target, ctx.settings, ctx.now)
