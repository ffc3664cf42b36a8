"""What the judge says."""

from dataclasses import dataclass
from enum import StrEnum

from halimede.api.status import Evidence


class Verdict(StrEnum):
    """What the evidence allows."""

    PASS = "Pass"  # noqa: S105 (a verdict, not a password)
    """The canary is shown to be good enough for this step."""
    CONTINUE = "Continue"
    """Neither shown to be bad nor good enough yet."""
    ABORT = "Abort"
    """The canary is shown to be worse than the stable revision, or over the ceiling."""
    NO_DATA = "NoData"
    """A source has shown no request of the canary. Never a reason to move weights."""
    METRICS_DOWN = "MetricsDown"
    """A source could not be read. Never a reason to move weights."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and what it rests on."""

    verdict: Verdict
    evidence: Evidence
    """To be stored in the status together with what is done about the verdict; it carries the
    verdict and the message too."""
    message: str
    """One sentence with the figures, for conditions and Events."""
