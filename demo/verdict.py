"""Read the decision about a revision from the status."""

from dataclasses import dataclass
from typing import Self

from halimede.api.status import Evidence, FinishedRollout, Outcome, RolloutStatus
from harness.watch import Snapshot


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision about a revision, from the status."""

    outcome: Outcome
    reason: str
    message: str
    evidence: Evidence | None

    @classmethod
    def on(cls, revision: str, seen: Snapshot) -> Self | None:
        """Return the verdict on ``revision``; None while there is none."""
        rollout: RolloutStatus | FinishedRollout | None
        for rollout in (seen.status.rollout, seen.status.last_rollout):
            if rollout and rollout.revision == revision and rollout.outcome:
                reason, message = rollout.reason or "", rollout.message or ""
                return cls(rollout.outcome, reason, message, rollout.evidence)
        return None

    @property
    def requests(self) -> dict[str, int]:
        """The revision's requests that the judge has counted, by source."""
        sources = self.evidence.sources if self.evidence else ()
        return {source.source: source.canary_requests for source in sources}

    @property
    def errors(self) -> dict[str, int]:
        """The revision's errors that the judge has counted, by source."""
        sources = self.evidence.sources if self.evidence else ()
        return {source.source: source.canary_errors for source in sources}
