"""Revisions that were stable before: which are kept, and how to go back to one by command."""

from halimede.api.base import RevisionHash
from halimede.api.reasons import EventReason
from halimede.api.rollout import Rollout
from halimede.api.status import PinnedRevision, PromotedRevision, RevisionStatus, Status
from halimede.rollout.command import Command, Verb
from halimede.rollout.context import DECIDED, Goal, RolloutContext
from halimede.rollout.events import Event, normal


def make_stable(status: Status, revision: RevisionHash, settings: Rollout, now: float) -> Status:
    """Make a revision the stable one, and remember the one before it."""
    before, pinned = status.stable, status.pinned
    history = tuple(one for one in status.history if one.revision != revision)
    if before is not None and before.revision != revision:
        forced_back = pinned is not None and pinned.revision == revision
        left = PromotedRevision(
            revision=before.revision,
            promoted_at=before.since,
            rolled_back_at=now if forced_back else None,
        )
        history = (left, *(one for one in history if one.revision != before.revision))
    stable = RevisionStatus(revision=revision, since=now)
    return trim_history(status.evolve(stable=stable, history=history), settings)


def trim_history(status: Status, settings: Rollout) -> Status:
    """Forget what is older than the limit, except what still runs."""
    running = {one.revision for one in status.warm_revisions}
    limit = settings.revision_history_limit
    kept = tuple(
        one
        for number, one in enumerate(status.history)
        if number < limit or one.revision in running
    )
    return status if kept == status.history else status.evolve(history=kept)


def mark_rolled_back(
    status: Status, revision: RevisionHash, rolled_back_at: float | None
) -> Status:
    """Note that a revision had to be left; None: that it is wanted again all the same."""
    history = tuple(
        one.evolve(rolled_back_at=rolled_back_at) if one.revision == revision else one
        for one in status.history
    )
    return status.evolve(history=history)


def previous_stable(status: Status) -> RevisionHash | None:
    """Find the last revision that was stable before and did not have to be left."""
    failed = {one.revision for one in status.failed_revisions}
    good = (
        one.revision
        for one in status.history
        if one.rolled_back_at is None and one.revision not in failed
    )
    return next(good, None)


def may_skip_steps(ctx: RolloutContext) -> bool:
    """Whether the target may have all requests at once: it has had them before."""
    status, target = ctx.status, ctx.target
    if status.pinned is not None:
        return True
    window = ctx.settings.rollback_window_revisions
    near = {one.revision for one in status.warm_revisions}
    near |= {one.revision for one in status.history[:window]}
    left = {one.revision for one in status.history if one.rolled_back_at is not None}
    return target in near - left


def rollback_is_abort(ctx: RolloutContext, command: Command) -> bool:
    """Whether `rollback` means the rollout under way: to abort it is the way back."""
    rollout, pin = ctx.status.rollout, ctx.status.pinned
    if command.verb is not Verb.ROLLBACK or rollout is None or rollout.state in DECIDED:
        return False
    # Whoever says `rollback` twice does not want the first one undone.
    goes_back = pin is not None and pin.revision == rollout.revision
    return command.revision == rollout.base or (command.revision is None and not goes_back)


def pin(ctx: RolloutContext, command: Command) -> tuple[Status, tuple[Event, ...]] | None:
    """Hold a revision against the spec, and forget what spoke against it: somebody wants it."""
    revision = command.revision or previous_stable(ctx.status)
    if revision is None:
        return None
    asked = ctx.goal.target
    pin = PinnedRevision(
        revision=revision, since=ctx.now, generation=ctx.goal.generation, spec_revision=asked
    )
    status = mark_rolled_back(ctx.status, revision, None)
    failed = tuple(one for one in status.failed_revisions if one.revision != revision)
    event = normal(
        EventReason.PINNED,
        f"Revision {revision} is to serve again, as commanded; the spec asks for {asked}."
        " It stays so until the spec changes or the command `resume`.",
    )
    return status.evolve(pinned=pin, failed_revisions=failed), (event,)


def unpin(ctx: RolloutContext) -> tuple[Status, tuple[Event, ...]]:
    """Follow the spec again."""
    told = f"The spec is followed again, as commanded: it asks for {ctx.goal.target}."
    status = ctx.status.evolve(pinned=None)
    return status, (normal(EventReason.UNPINNED, told),)


def expire_pin(status: Status, wanted: Goal) -> Status:
    """End a pin that the spec has outlived.

    Only a new generation can: an update of the operator may render the same spec to another
    revision, and must not bring back what somebody has left.
    """
    pin = status.pinned
    if pin is None:
        return status
    edited, moved = wanted.generation != pin.generation, wanted.target != pin.spec_revision
    agreed = status.stable is not None and status.stable.revision == pin.revision
    if (edited and moved) or (agreed and pin.revision == wanted.target):
        return status.evolve(pinned=None)
    if not (edited or moved):
        return status
    same = pin.evolve(generation=wanted.generation, spec_revision=wanted.target)
    return status.evolve(pinned=same)


def repin_to(status: Status, base: RevisionHash) -> Status:
    """Pin what serves, where the way back from it has failed."""
    pin = status.pinned
    if pin is None:
        return status
    kept = None if base == pin.spec_revision else pin.evolve(revision=base)
    return status.evolve(pinned=kept)
