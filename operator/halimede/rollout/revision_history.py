"""Earlier stable revisions: which are kept, and how to go back to one by command."""

from halimede.api.base import RevisionHash
from halimede.api.reasons import EventReason
from halimede.api.rollout import Rollout
from halimede.api.status import PinnedRevision, PromotedRevision, RevisionStatus, Status
from halimede.rollout.command import Command, Verb
from halimede.rollout.context import Goal, RolloutContext
from halimede.rollout.events import Event, normal
from halimede.rollout.states import DECIDED


def make_stable(status: Status, revision: RevisionHash, settings: Rollout, now: float) -> Status:
    """Make *revision* stable, and add the previous stable revision to the history."""
    before, pinned = status.stable, status.pinned
    history = tuple(entry for entry in status.history if entry.revision != revision)
    if before is not None and before.revision != revision:
        rolled_back = pinned is not None and pinned.revision == revision
        previous = PromotedRevision(
            revision=before.revision,
            promoted_at=before.since,
            rolled_back_at=now if rolled_back else None,
        )
        history = (previous, *(entry for entry in history if entry.revision != before.revision))
    stable = RevisionStatus(revision=revision, since=now)
    return trim_history(status.evolve(stable=stable, history=history), settings)


def trim_history(status: Status, settings: Rollout) -> Status:
    """Drop entries beyond `revisionHistoryLimit`, except those of revisions that still run."""
    running = {entry.revision for entry in status.warm_revisions}
    limit = settings.revision_history_limit
    kept = tuple(
        entry
        for number, entry in enumerate(status.history)
        if number < limit or entry.revision in running
    )
    return status if kept == status.history else status.evolve(history=kept)


def mark_rolled_back(
    status: Status, revision: RevisionHash, rolled_back_at: float | None
) -> Status:
    """Record that a revision was rolled back; None removes the record, as a user asks for it."""
    history = tuple(
        entry.evolve(rolled_back_at=rolled_back_at) if entry.revision == revision else entry
        for entry in status.history
    )
    return status.evolve(history=history)


def previous_stable(status: Status) -> RevisionHash | None:
    """Return the last stable revision that neither failed nor was rolled back, if there is one."""
    failed = {entry.revision for entry in status.failed_revisions}
    good = (
        entry.revision
        for entry in status.history
        if entry.rolled_back_at is None and entry.revision not in failed
    )
    return next(good, None)


def may_skip_steps(ctx: RolloutContext) -> bool:
    """Whether the target may get all requests at once, as it has had them before."""
    status, target = ctx.status, ctx.target
    if status.pinned is not None:
        return True
    window = ctx.settings.rollback_window_revisions
    recent = {entry.revision for entry in status.warm_revisions}
    recent |= {entry.revision for entry in status.history[:window]}
    rolled_back = {e.revision for e in status.history if e.rolled_back_at is not None}
    return target in recent - rolled_back


def rollback_is_abort(ctx: RolloutContext, command: Command) -> bool:
    """Whether `rollback` means to abort the rollout under way, which leads back as well."""
    rollout, pin = ctx.status.rollout, ctx.status.pinned
    if command.verb is not Verb.ROLLBACK or rollout is None or rollout.state in DECIDED:
        return False
    # A second `rollback` must not undo the first one.
    goes_back = pin is not None and pin.revision == rollout.revision
    return command.revision == rollout.base or (command.revision is None and not goes_back)


def pin(ctx: RolloutContext, command: Command) -> tuple[Status, tuple[Event, ...]] | None:
    """Pin a revision against the spec, and clear its failure, as a user asks for it."""
    revision = command.revision or previous_stable(ctx.status)
    if revision is None:
        return None
    pin = PinnedRevision(
        revision=revision,
        since=ctx.now,
        generation=ctx.goal.generation,
        spec_revision=ctx.goal.target,
    )
    status = mark_rolled_back(ctx.status, revision, None)
    failed = tuple(entry for entry in status.failed_revisions if entry.revision != revision)
    event = normal(
        EventReason.PINNED,
        f"The command `rollback` pins revision {revision}, while the spec asks for"
        f" {ctx.goal.described}. The pin ends when the spec changes or with the command `resume`.",
    )
    return status.evolve(pinned=pin, failed_revisions=failed), (event,)


def unpin(ctx: RolloutContext) -> tuple[Status, tuple[Event, ...]]:
    """End the pin, so that the spec is followed again."""
    message = f"The command `resume` ended the pin: the spec asks for {ctx.goal.described}."
    status = ctx.status.evolve(pinned=None)
    return status, (normal(EventReason.UNPINNED, message),)


def expire_pin(status: Status, goal: Goal) -> Status:
    """End a pin if the spec was changed to another revision, or asks for the pinned stable one.

    A changed revision counts only with a new generation: an update of the operator may render the
    same spec to another revision, and must not undo the rollback. While the spec's revision is
    not known, it is not known either whether the pin ends.
    """
    pin = status.pinned
    if pin is None or goal.unresolved is not None:
        return status
    edited, changed = goal.generation != pin.generation, goal.target != pin.spec_revision
    agreed = status.stable is not None and status.stable.revision == pin.revision
    if (edited and changed) or (agreed and pin.revision == goal.target):
        return status.evolve(pinned=None)
    if not (edited or changed):
        return status
    updated = pin.evolve(generation=goal.generation, spec_revision=goal.target)
    return status.evolve(pinned=updated)


def repin_to(status: Status, base: RevisionHash) -> Status:
    """Pin the revision that serves, if the rollout from it to the pinned one has failed."""
    pin = status.pinned
    if pin is None:
        return status
    kept = None if base == pin.spec_revision else pin.evolve(revision=base)
    return status.evolve(pinned=kept)
