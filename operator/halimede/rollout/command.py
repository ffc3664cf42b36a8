"""Manual commands: `<verb>[:<revision>]@<token>` in an annotation, each carried out once."""

from dataclasses import dataclass
from enum import StrEnum

from halimede.rollout.events import Event, warning


class Verb(StrEnum):
    """What can be commanded."""

    PROMOTE = "promote"
    """Go on to the next step, or switch a blue-green rollout, without further evidence."""
    ABORT = "abort"
    """Move all traffic back to the stable revision."""
    RETRY = "retry"
    """Forget that the revision has failed before."""


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks for."""

    verb: Verb | None
    """None if the text asks for nothing that there is."""
    revision: str | None
    """The revision that is meant; None: whichever it is."""
    token: str
    """Tells one command from the next of the same kind."""
    text: str
    """As it was written."""


def parse(text: str) -> Command:
    """Read the annotation's value.

    >>> parse("promote:e5f60718@1").revision
    'e5f60718'
    >>> parse("dance@1").verb is None
    True
    """
    order, _, token = text.strip().partition("@")
    verb, _, revision = order.partition(":")
    known = Verb(verb) if token and verb in set(Verb) else None
    return Command(known, revision or None, token or text, text)


def pending(text: str | None, handled: str | None) -> Command | None:
    """Read the command that is still to be carried out or refused, if there is one."""
    command = parse(text) if text else None
    return None if command is None or command.token == handled else command


def refusal(command: Command, why: str) -> Event:
    """Tell that a command is not carried out, and why."""
    return warning("CommandRefused", f"{command.text!r} is not carried out: {why}")
