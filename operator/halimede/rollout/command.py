"""Manual commands: `<verb>[:<revision>]@<token>` in an annotation, each executed once."""

from dataclasses import dataclass
from enum import StrEnum

from halimede.api.base import RevisionHash
from halimede.api.reasons import EventReason
from halimede.api.status import MOST_TOKENS, HandledCommand, Status
from halimede.rollout.events import Event, warning

MAX_LENGTH = 64
"""Maximum length of a command in characters; a longer one is rejected, as the status stores it."""


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
    """Distinguishes the command from the next one with the same verb."""
    text: str
    """The annotation's value, cut to `MAX_LENGTH` characters."""


def parse(text: str) -> Command:
    """Parse the annotation's value.

    >>> parse("promote-full:e5f60718@1").revision
    'e5f60718'
    >>> parse("dance@1").verb is None
    True
    """
    head, _, token = text.strip().partition("@")
    name, _, revision = head.partition(":")
    verb = Verb(name) if token and name in set(Verb) and len(text) <= MAX_LENGTH else None
    return Command(
        verb, RevisionHash(revision) or None, (token or text)[:MAX_LENGTH], text[:MAX_LENGTH]
    )


def pending(text: str | None, status: Status) -> Command | None:
    """Return the command that is still to be executed or rejected; None if there is none."""
    if not text:
        return None
    command, last = parse(text), status.last_command
    return None if last is not None and command.text == last.text else command


def mark_handled(status: Status, command: Command) -> Status:
    """Record a command as handled, so that the same text is not read again."""
    return status.evolve(last_command=HandledCommand(token=command.token, text=command.text))


def mark_executed(status: Status, command: Command) -> Status:
    """Record a command as executed, so that its token is never executed again."""
    tokens = (*status.executed_tokens, command.token)[-MOST_TOKENS:]
    return mark_handled(status, command).evolve(executed_tokens=tokens)


def rejected_event(command: Command, why: str) -> Event:
    """Create the Event for a rejected command."""
    return warning(EventReason.COMMAND_REJECTED, f"{command.text!r} was rejected: {why}")
