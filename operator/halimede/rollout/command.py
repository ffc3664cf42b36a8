"""Manual commands: `<verb>[:<revision>]@<token>` in an annotation, each executed once."""

from dataclasses import dataclass
from enum import StrEnum

from halimede.api.base import RevisionHash
from halimede.api.reasons import EventReason
from halimede.api.status import (
    MOST_COMMANDS,
    ExecutedCommand,
    HandledCommand,
    RolloutStatus,
    Status,
)
from halimede.api.v1alpha1 import COMMANDER_ANNOTATION
from halimede.rollout.events import Event, normal, warning

MAX_LENGTH = 64
"""Maximum length of a command in characters; a longer one is rejected, as the status stores it."""
MAX_NAME = 128
"""Characters of a user's name that the status keeps."""
MAX_DIGITS = 18
"""Maximum digits of a token, so that it is a number of usual size."""


class Verb(StrEnum):
    """The verbs of commands."""

    PROMOTE = "promote"
    """Go on to the next step, or switch a blue-green rollout, without further evidence."""
    PROMOTE_FULL = "promote-full"
    """Skip all remaining steps. Full scale, the route and the bake are still awaited."""
    PROMOTE_FULL_FORCE = "promote-full-force"
    """As `promote-full`, without the bake and whatever the evidence. Pods are still awaited."""
    ABORT = "abort"
    """Move all traffic back to the stable revision."""
    PAUSE = "pause"
    """Keep the rollout at its current weight. Abort, safety checks and scaling go on."""
    RESUME = "resume"
    """End a pause by command and restart the clocks of the step and of deadlines. If nothing is
    paused, follow the spec again after `rollback`."""
    RETRY = "retry"
    """Forget that the revision failed."""
    ROLLBACK = "rollback"
    """Go back, without steps, to the named revision or the previous stable one, and pin it against
    the spec. While a rollout is under way, abort that."""


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed command."""

    verb: Verb | None
    """None if the text is not a valid command."""
    revision: RevisionHash | None
    """The revision that the command names; None if it names none."""
    token: str
    """A number; of two commands with the same verb, the later one has the larger token."""
    text: str
    """The annotation's value, cut to `MAX_LENGTH` characters."""
    by: str | None = None
    """Who gave it, by the annotation `halimede.dev/command-by`."""

    @property
    def number(self) -> int | None:
        """The token as a number; None if it is none."""
        is_number = self.token.isascii() and self.token.isdigit()
        return int(self.token) if is_number and len(self.token) <= MAX_DIGITS else None


def parse(text: str, by: str | None = None) -> Command:
    """Parse the annotation's value, and who gave the command.

    >>> parse("promote-full:e5f60718@1").revision
    'e5f60718'
    >>> parse("dance@1").verb is None
    True
    """
    head, _, token = text.strip().partition("@")
    name, _, revision = head.partition(":")
    verb = Verb(name) if token and name in set(Verb) and len(text) <= MAX_LENGTH else None
    return Command(
        verb,
        RevisionHash(revision) or None,
        (token or text)[:MAX_LENGTH],
        text[:MAX_LENGTH],
        by[:MAX_NAME] if by else None,
    )


def pending(text: str | None, status: Status, by: str | None = None) -> Command | None:
    """Return the command that is still to be executed or rejected; None if there is none."""
    if not text:
        return None
    command, last = parse(text, by), status.last_command
    return None if last is not None and command.text == last.text else command


def mark_handled(status: Status, command: Command) -> Status:
    """Record a command as handled, so that the same text is not read again."""
    return status.evolve(last_command=HandledCommand(token=command.token, text=command.text))


def mark_executed(status: Status, command: Command, before: Status, now: float) -> Status:
    """Record a command as executed on the basis of the status *before* it."""
    executed = ExecutedCommand(
        text=command.text, by=command.by, at=now, basis=describe_basis(before.rollout)
    )
    commands = (*status.commands, executed)[-MOST_COMMANDS:]
    return mark_handled(status, command).evolve(commands=commands)


def describe_basis(rollout: RolloutStatus | None) -> str:
    """Describe what a rollout showed when a command was executed.

    >>> describe_basis(None)
    'no rollout'
    """
    if rollout is None:
        return "no rollout"
    verdict = rollout.evidence.verdict if rollout.evidence else None
    step = (
        f"step {min(rollout.step + 1, rollout.steps)}/{rollout.steps}, " if rollout.steps else ""
    )
    return (
        f"revision {rollout.revision} {rollout.state}, {step}{rollout.weight} %,"
        f" verdict {verdict or 'none'}"
    )


def executed_event(command: ExecutedCommand) -> Event:
    """Create the Event for an executed command."""
    return normal(
        EventReason.COMMAND_EXECUTED, f"{command.text!r} by {_name(command.by)}: {command.basis}"
    )


def rejected_event(command: Command, why: str) -> Event:
    """Create the Event for a rejected command."""
    return warning(
        EventReason.COMMAND_REJECTED,
        f"{command.text!r} by {_name(command.by)} was rejected: {why}",
    )


def _name(by: str | None) -> str:
    return by or f"an unknown user (annotation {COMMANDER_ANNOTATION})"
