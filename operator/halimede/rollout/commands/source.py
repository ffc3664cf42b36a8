"""The commands while the spec's revision is not known: `retry` and `abort` mean its source."""

from halimede.api.reasons import Reason
from halimede.api.status import Status
from halimede.rollout.command import Command, Verb
from halimede.rollout.context import RolloutContext, Unresolved, WaitReason


def is_meant(ctx: RolloutContext, command: Command) -> bool:
    """Whether `retry` or `abort` means the source: no revision is named.

    `retry` needs a source that failed, and `abort` one that is being resolved while no revision
    is being rolled out.
    """
    unresolved = ctx.goal.unresolved
    if unresolved is None or command.revision is not None:
        return False
    if command.verb is Verb.RETRY:
        return unresolved.failed
    return not unresolved.failed and ctx.status.rollout is None


def forget_failure(ctx: RolloutContext) -> Status | None:
    """Return the status without the failure of the source; None if `retry` does not mean it."""
    model = ctx.status.model
    if ctx.command is None or model is None or not is_meant(ctx, ctx.command):
        return None
    return ctx.status.evolve(model=model.evolve(failed_job=None, failure=None))


def give_up(ctx: RolloutContext) -> Status | None:
    """Return the status with the source as failed; None if `abort` does not mean it."""
    model, unresolved = ctx.status.model, ctx.goal.unresolved
    if ctx.command is None or model is None or unresolved is None:
        return None
    if not is_meant(ctx, ctx.command):
        return None
    failed = model.evolve(failed_job=unresolved.job, failure="The command `abort` was given.")
    return ctx.status.evolve(model=failed)


def as_recorded(status: Status) -> Unresolved | None:
    """Return what a status alone says about the source; None: it is resolved."""
    model = status.model
    if model is None or model.digest is not None:
        return None
    why = WaitReason(Reason.RESOLVING, model.failure or "")
    return Unresolved(model.failed_job or "", why, failed=model.failed_job is not None)
