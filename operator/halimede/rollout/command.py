"""Manual commands: `<verb>[:<revision>]@<token>` in an annotation, each carried out once."""

from dataclasses import dataclass
from enum import StrEnum

from halimede.api.base import RevisionHash
from halimede.api.reasons import EventReason
from halimede.api.status import MOST_TOKENS, HandledCommand, Status
from halimede.rollout.events import Event, warning

MAX_LENGTH = 64
"""Characters of a command; a longer one is refused, for the status has to remember it."""


class Verb(StrEnum):
    """What can be commanded."""

    PROMOTE = "promote"
    """Go on to the next step, or switch a blue-green rollout, without further evidence."""
    PROMOTE_FULL = "promote-full"
    """Skip all remaining steps; full scale and the route are still awaited."""
    PROMOTE_FULL_FORCE = "promote-full-force"
    """The same without the bake, and whatever the evidence says; readiness is still awaited."""
    ABORT = "abort"
    """Move all traffic back to the stable revision."""
    PAUSE = "pause"
    """Hold the rollout where it is. Abort, safety and scaling go on."""
    RESUME = "resume"
    """End a pause by command, and start the clocks of the step and of deadlines anew; or, where
    nothing is paused, follow the spec again after `rollback`."""
    RETRY = "retry"
    """Forget that the revision has failed before."""
    ROLLBACK = "rollback"
    """Go back, without steps, to the revision that is named or that was stable before, and stay
    there whatever the spec says; while a rollout is under way, abort that."""


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks for."""

    verb: Verb | None
    """None if the text asks for nothing that there is."""
    revision: RevisionHash | None
    """The revision that is meant; None: whichever it is."""
    token: str
    """Tells one command from the next of the same kind."""
    text: str
    """As it was written, or the beginning of it."""


def parse(text: str) -> Command:
    """Read the annotation's value.

    >>> parse("promote-full:e5f60718@1").revision
    'e5f60718'
    >>> parse("dance@1").verb is None
    True
    """
    order, _, token = text.strip().partition("@")
    verb, _, revision = order.partition(":")
    known = Verb(verb) if token and verb in set(Verb) and len(text) <= MAX_LENGTH else None
    return Command(
        known, RevisionHash(revision) or None, (token or text)[:MAX_LENGTH], text[:MAX_LENGTH]
    )


def pending(text: str | None, status: Status) -> Command | None:
    """Read the command that is still to be executed or rejected, if there is one."""
    if not text:
        return None
    command, last = parse(text), status.last_command
    return None if last is not None and command.text == last.text else command


def mark_handled(status: Status, command: Command) -> Status:
    """Remember that a command was rejected: it is not read again as it is."""
    return status.evolve(last_command=HandledCommand(token=command.token, text=command.text))


def mark_executed(status: Status, command: Command) -> Status:
    """Remember that a command was executed: its token never acts again."""
    tokens = (*status.executed_tokens, command.token)[-MOST_TOKENS:]
    return mark_handled(status, command).evolve(executed_tokens=tokens)


def rejected_event(command: Command, why: str) -> Event:
    """Tell that a command is not carried out, and why."""
    return warning(EventReason.COMMAND_REFUSED, f"{command.text!r} is not carried out: {why}")
