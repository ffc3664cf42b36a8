"""The result of a poll."""

from dataclasses import dataclass

from halimede.api.reasons import Verdict
from halimede.api.status import Evidence


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and its evidence."""

    verdict: Verdict
    evidence: Evidence
    """Must be stored in the status together with the decision that follows from the verdict; it
    contains the verdict and the message too."""
    message: str
    """One sentence with the figures, for conditions and Events."""
