"""Why a command is rejected."""

from halimede.api.rollout import Strategy
from halimede.api.status import State, Status
from halimede.rollout.checks.cluster_capacity import capacity_timed_out
from halimede.rollout.checks.safety import inconclusive
from halimede.rollout.checks.start import failed_record
from halimede.rollout.checks.waits import without_evidence
from halimede.rollout.command import MAX_DIGITS, MAX_LENGTH, Command, Verb
from halimede.rollout.commands import source
from halimede.rollout.context import RolloutContext
from halimede.rollout.revision_history import previous_stable, rollback_is_abort
from halimede.rollout.states import AWAITING_EVIDENCE, DECIDED, FINAL, SKIPPABLE

AHEAD_SECONDS = 3600.0
"""How far a token may be ahead of the operator's clock."""
PROMOTABLE = {
    Verb.PROMOTE: AWAITING_EVIDENCE,
    Verb.PROMOTE_FULL: SKIPPABLE,
    Verb.PROMOTE_FULL_FORCE: SKIPPABLE | FINAL,
}


def rejection_reason(ctx: RolloutContext, command: Command) -> str | None:
    """Return why a command is rejected; None if it can be executed, now or after a hold."""
    if command.verb is None:
        form = f"write <verb>[:<revision>]@<token>, at most {MAX_LENGTH} characters"
        return f"{form}, with one of the verbs {', '.join(Verb)}"
    return _reject_token(ctx, command) or reject_by_state(ctx, command)


def reject_by_state(ctx: RolloutContext, command: Command) -> str | None:
    """Return why the status does not allow a command; None if it does."""
    match command.verb:
        case Verb.RETRY | Verb.ABORT if source.is_meant(ctx, command):
            return None
        case Verb.RETRY:
            return _reject_retry(ctx, command)
        case Verb.ROLLBACK:
            return _reject_rollback(ctx, command)
        case Verb.RESUME if ends_pin(ctx.status):
            return _reject_unpin(ctx.status, command)
        case _:
            return _reject_in_state(ctx, command)


def _reject_token(ctx: RolloutContext, command: Command) -> str | None:
    """Return why a token is rejected: tokens are numbers and increase, so each acts once."""
    number, advice = command.number, "use the UNIX time in seconds, as `date +%s` prints it"
    if number is None:
        return (
            f"the token {command.token!r} is not a number of at most {MAX_DIGITS} digits: {advice}"
        )
    if ctx.status.commands and number <= (last := ctx.status.commands[-1].token):
        return f"the token {number} is not greater than {last}, that of the last command: {advice}"
    if number > ctx.now + AHEAD_SECONDS:
        return f"the token {number} is in the future, so it would block later commands: {advice}"
    return None


def ends_pin(status: Status) -> bool:
    """Whether `resume` means the pin: there is one, and no pause that it could end."""
    paused = status.rollout is not None and status.rollout.paused_since is not None
    return status.pinned is not None and not paused


def _reject_unpin(status: Status, command: Command) -> str | None:
    pin = status.pinned
    if pin is None or command.revision in (None, pin.revision):
        return None
    return f"revision {pin.revision} is pinned, not {command.revision}"


def _reject_retry(ctx: RolloutContext, command: Command) -> str | None:
    target = ctx.target
    if ctx.goal.unresolved is not None and ctx.status.pinned is None:
        if command.revision is None:
            return "the digest of the model is being determined, and has not failed"
        return f"the spec asks for {ctx.goal.described}, not for revision {command.revision}"
    if command.revision not in (None, target):
        return f"the spec asks for revision {target}, not {command.revision}"
    return None if failed_record(ctx.status, target) else f"revision {target} has not failed"


def _reject_rollback(ctx: RolloutContext, command: Command) -> str | None:
    status, rollout, revision = ctx.status, ctx.status.rollout, command.revision
    if rollback_is_abort(ctx, command):
        return None
    if rollout is not None and rollout.state is not State.DRAINING:
        if rollout.state in DECIDED and revision in (None, rollout.base):
            return f"the outcome of the rollout is already decided ({rollout.outcome})"
        if revision in (None, rollout.revision):
            return (
                f"revision {rollout.revision} is being rolled out: to stop it, use the command"
                " `abort`"
            )
    if status.stable is not None and revision == status.stable.revision:
        return f"revision {revision} serves already"
    chosen = revision or previous_stable(status)
    return (
        _reject_while_paused(ctx)
        or _reject_unkept(status, revision)
        or (ctx.facts.invalid_records.get(chosen) if chosen else None)
    )


def _reject_unkept(status: Status, revision: str | None) -> str | None:
    """Return which revisions are kept if *revision* is not among them."""
    kept = [entry.revision for entry in status.history]
    if (revision or previous_stable(status)) in kept:
        return None
    lack = (
        f"status.history does not contain revision {revision}"
        if revision
        else "status.history has no revision that is safe to roll back to"
    )
    choice = f"choose one of {', '.join(kept)} with rollback:<revision>" if kept else "it is empty"
    return f"{lack}; {choice}"


def _reject_in_state(ctx: RolloutContext, command: Command) -> str | None:
    rollout = ctx.status.rollout
    if rollout is None:
        return "no rollout is under way"
    if command.revision not in (None, rollout.revision):
        return f"revision {rollout.revision} is being rolled out, not {command.revision}"
    if rollout.state in DECIDED:
        return f"the outcome of the rollout is already decided ({rollout.outcome})"
    match command.verb:
        case Verb.PROMOTE | Verb.PROMOTE_FULL | Verb.PROMOTE_FULL_FORCE:
            return _reject_promote(ctx, command.verb)
        case Verb.RESUME:
            return _reject_resume(ctx)
        case _:
            return None


def _reject_promote(ctx: RolloutContext, verb: Verb) -> str | None:
    state = ctx.rollout.state
    if why := _reject_while_paused(ctx):
        return why
    if verb is Verb.PROMOTE_FULL and ctx.rollout.strategy is Strategy.RECREATE:
        return "strategy Recreate has no steps to skip"
    if state not in PROMOTABLE[verb]:
        return f"there is nothing to promote in state {state}"
    return None


def _reject_while_paused(ctx: RolloutContext) -> str | None:
    """Return how to end the pause that holds or would hold the command, if there is one."""
    if ctx.settings.paused:
        return "the rollout is paused: set spec.rollout.paused to false first"
    rollout = ctx.status.rollout
    if rollout is None or rollout.paused_since is None:
        return None
    return "the rollout is paused: use the command `resume` first"


def _reject_resume(ctx: RolloutContext) -> str | None:
    """Return why `resume` has nothing to end: no pause by command, no wait that it ends."""
    if ctx.rollout.paused_since is not None or capacity_timed_out(ctx):
        return None
    if inconclusive(ctx) or without_evidence(ctx):
        return None
    if ctx.settings.paused:
        return "the rollout is paused by spec.rollout.paused: set it to false"
    return "the rollout is not paused"
