"""What the judge says."""

from dataclasses import dataclass

from halimede.api.reasons import Verdict
from halimede.api.status import Evidence


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and what it rests on."""

    verdict: Verdict
    evidence: Evidence
    """To be stored in the status together with what is done about the verdict; it carries the
    verdict and the message too."""
    message: str
    """One sentence with the figures, for conditions and Events."""
