"""Which commands would be accepted now, as far as the status shows."""

from collections.abc import Iterator

from halimede.api.base import RevisionHash, rfc3339
from halimede.api.v1alpha1 import ModelDeployment
from halimede.rollout.command import Command, Verb
from halimede.rollout.commands import source
from halimede.rollout.commands.validate import reject_by_state
from halimede.rollout.context import UNKNOWN_MODEL, Goal, RolloutContext
from halimede.rollout.facts import Facts, Route
from halimede.rollout.sizing.first_weight import effective_settings


def available_commands(md: ModelDeployment) -> Iterator[str]:
    """Describe the pin, where `rollback` can go, and which commands would be accepted."""
    status = md.status
    if pin := status.pinned:
        asked_for = UNKNOWN_MODEL if source.as_recorded(status) else pin.spec_revision
        yield (
            f"Pinned: {pin.revision} since {rfc3339(pin.since)}, although the spec asks for"
            f" {asked_for}; until the spec changes or the command resume"
        )
    if status.history:
        yield f"Earlier stable revisions: {', '.join(entry.revision for entry in status.history)}"
    if verbs := is_available(md):
        yield f"Available commands: {', '.join(verbs)}"


def is_available(md: ModelDeployment) -> list[Verb]:
    """Return the commands that would be accepted."""
    status, rollout = md.status, md.status.rollout
    polled_at = (rollout.polled_at or rollout.state_since) if rollout else 0.0
    ctx = RolloutContext(
        goal=Goal(
            target=status.target.revision if status.target else RevisionHash(""),
            settings=effective_settings(md.spec.rollout, rollout),
            identity=md.metadata.uid,
            unresolved=source.as_recorded(status),
        ),
        facts=Facts({}, Route(), 1),
        status=status,
        command=None,
        verdict=None,
        now=polled_at,
    )
    return [verb for verb in Verb if reject_by_state(ctx, Command(verb, None, "", "")) is None]
