"""The commands that mean the source of the model: `retry` and `abort`.

They mean it while the spec's revision is not known. With a cache, `retry` means it at any time:
the files are verified, and fetched again if they are damaged.
"""

from halimede.api.reasons import Reason
from halimede.api.status import Status
from halimede.rollout.checks import start
from halimede.rollout.command import Command, Verb
from halimede.rollout.context import RolloutContext, Unresolved, WaitReason


def is_meant(ctx: RolloutContext, command: Command) -> bool:
    """Whether `retry` or `abort` means the source: no revision is named.

    `retry` needs a source that failed, or that is in a cache while no revision is being rolled
    out, and `abort` one that is being resolved while no revision is being rolled out.
    """
    unresolved, model = ctx.goal.unresolved, ctx.status.model
    if command.revision is not None:
        return False
    if unresolved is None:
        in_cache = model is not None and model.files is not None and ctx.status.rollout is None
        return command.verb is Verb.RETRY and in_cache
    if command.verb is Verb.RETRY:
        return unresolved.failed
    return not unresolved.failed and ctx.status.rollout is None


def forget_failure(ctx: RolloutContext) -> Status | None:
    """Return the status without the failure of the source; None if `retry` does not mean it.

    If it had not failed, its files are verified again before a revision that failed is.
    """
    model = ctx.status.model
    if ctx.command is None or model is None or not is_meant(ctx, ctx.command):
        return None
    status = ctx.status
    if ctx.goal.unresolved is None:
        status = start.forget_failure(ctx) or status
    return status.evolve(model=model.evolve(failed_job=None, failure=None, files=None))


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
    if model is None or model.resolved:
        return None
    why = WaitReason(Reason.RESOLVING, model.failure or "")
    return Unresolved(model.failed_job or "", why, failed=model.failed_job is not None)
