"""Read from the status what was decided about a revision."""

from dataclasses import dataclass
from typing import Self

from halimede.api.status import Evidence, FinishedRollout, Outcome, RolloutStatus
from harness.watch import Snapshot


@dataclass(frozen=True, slots=True)
class Verdict:
    """Tell what was decided about a revision, as the status says it."""

    outcome: Outcome
    reason: str
    message: str
    evidence: Evidence | None

    @classmethod
    def on(cls, revision: str, seen: Snapshot) -> Self | None:
        """Read the verdict on ``revision``; None while there is none."""
        rollout: RolloutStatus | FinishedRollout | None
        for rollout in (seen.status.rollout, seen.status.last_rollout):
            if rollout and rollout.revision == revision and rollout.outcome:
                reason, message = rollout.reason or "", rollout.message or ""
                return cls(rollout.outcome, reason, message, rollout.evidence)
        return None

    @property
    def requests(self) -> dict[str, int]:
        """Count by source the revision's requests that the judge has seen."""
        sources = self.evidence.sources if self.evidence else ()
        return {one.source: one.canary_requests for one in sources}

    @property
    def errors(self) -> dict[str, int]:
        """Count by source the revision's errors that the judge has seen."""
        sources = self.evidence.sources if self.evidence else ()
        return {one.source: one.canary_errors for one in sources}
