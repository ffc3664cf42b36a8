"""Sum up each version: who asked it, how it did, what was decided about it and how fast."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table

from demo.records import Tally, by_version
from demo.stage import Stage
from demo.watch import Snapshot
from halimede.api.status import FinishedRollout, Outcome


@dataclass(frozen=True, slots=True)
class Decision:
    """Tell how the rollout of a version ended."""

    outcome: Outcome
    reason: str
    seconds: float
    """From its first share of the traffic, or from its start if it had none, to the decision."""
    at: float
    """When it was decided, UNIX seconds."""


def decisions(stage: Stage) -> dict[str, Decision]:
    """Return by version what was first decided about it; the first version needs no decision."""
    versions = {revision: version for version, revision in stage.revisions.items()}
    decided: dict[str, Decision] = {}
    for seen in stage.watch.history:
        ended = seen.status.last_rollout
        if ended and ended.revision in versions:
            version = versions[ended.revision]
            decided.setdefault(version, _decision(ended, stage.watch.history))
    return decided


def _decision(ended: FinishedRollout, history: list[Snapshot]) -> Decision:
    exposed = (
        seen.at
        for seen in history
        if seen.weight > 0 and seen.status.rollout and seen.status.rollout.id == ended.id
    )
    at = ended.decided_at or ended.ended_at
    return Decision(ended.outcome, ended.reason, at - next(exposed, ended.started_at), at)


def table(stage: Stage) -> Table:
    """Draw the summary of everything that was played on ``stage``."""
    tallies = by_version(stage.records(since=0.0))
    decided = decisions(stage)
    drawn = Table(title="What users saw, what Halimede decided")
    for heading in ("version", "requests", "HTTP", "gRPC", "errors", "right", "decision", "after"):
        drawn.add_column(
            heading, justify="left" if heading in {"version", "decision"} else "right"
        )
    for name, version in stage.versions.items():
        counts = _counts(tallies, name)
        verdict = decided.get(name)
        fate = f"{verdict.outcome}: {verdict.reason}" if verdict else "the first one"
        after = f"{verdict.seconds:.1f} s" if verdict else ""
        drawn.add_row(f"{name} ({version.title})", *counts, fate, after)
    lost = tallies.get("", Tally())
    drawn.add_row("lost on the way", *_counts({"": lost}, "")[:3], str(lost.lost), "", "", "")
    return drawn


def _counts(tallies: Mapping[str, Tally], name: str) -> list[str]:
    tally = tallies.get(name, Tally())
    right = f"{tally.accuracy:.1%}" if tally.images else ""
    numbers = (tally.requests, tally.http, tally.grpc, tally.model_errors)
    return [*map(str, numbers), right]
