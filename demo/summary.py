"""Sum up each version: its requests and errors, and what was decided about it and how fast."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from halimede.api.status import FinishedRollout, Outcome
from harness.records import Record, Tally, by_version
from harness.watch import Snapshot


@dataclass(frozen=True, slots=True)
class Decision:
    """How the rollout of a version ended."""

    outcome: Outcome
    reason: str
    seconds: float
    """From its first share of the traffic, or from its start if it had none, to the decision."""
    at: float
    """When it was decided, UNIX seconds."""


def decisions(history: Sequence[Snapshot], revisions: Mapping[str, str]) -> dict[str, Decision]:
    """Return the first decision about each version; the first version needs none."""
    versions = {revision: version for version, revision in revisions.items()}
    decided: dict[str, Decision] = {}
    for seen in history:
        ended = seen.status.last_rollout
        if ended and ended.revision in versions:
            version = versions[ended.revision]
            decided.setdefault(version, _decision(ended, history))
    return decided


def _decision(ended: FinishedRollout, history: Sequence[Snapshot]) -> Decision:
    exposed = (
        seen.at
        for seen in history
        if seen.weight > 0 and seen.status.rollout and seen.status.rollout.id == ended.id
    )
    at = ended.decided_at or ended.ended_at
    return Decision(ended.outcome, ended.reason, at - next(exposed, ended.started_at), at)


def table(
    versions: Iterable[str], records: Iterable[Record], decided: Mapping[str, Decision]
) -> Table:
    """Draw the summary of all requests and decisions."""
    tallies = by_version(records)
    drawn = Table(title="What users saw, what Halimede decided", box=SIMPLE_HEAD)
    for heading in ("version", "requests", "HTTP", "gRPC", "errors", "right", "decision", "after"):
        drawn.add_column(
            heading, justify="left" if heading in {"version", "decision"} else "right"
        )
    for name in versions:
        decision = decided.get(name)
        fate = decision.reason if decision else "the first one"
        after = f"{decision.seconds:.1f} s" if decision else ""
        drawn.add_row(name, *_counts(tallies.get(name, Tally())), fate, after)
    drawn.add_row("lost", *_counts(tallies.get("", Tally())))
    return drawn


def _counts(tally: Tally) -> list[str]:
    right = f"{tally.accuracy:.1%}" if tally.images else ""
    numbers = (tally.requests, tally.http, tally.grpc, tally.model_errors + tally.lost)
    return [*map(str, numbers), right]
