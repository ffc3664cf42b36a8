"""Draw what Halimede does above what users see."""

import time

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.stage import Stage
from halimede.api.status import Evidence
from harness.records import Record, Tally, by_version
from harness.watch import Snapshot

WINDOW_SECONDS = 5.0
"""The period that the users' panel covers."""

BAR = 40
"""Columns of the bar that shows the weights."""


class Dashboard:
    """Draws one stage, repeatedly while scenes play."""

    def __init__(self, stage: Stage) -> None:
        """Draw ``stage``."""
        self._stage = stage

    def render(self) -> RenderableType:
        """Draw both panels as they are now."""
        seen = self._stage.watch.latest
        halimede: RenderableType = (
            self._halimede(seen) if seen else Text("no revision requested yet")
        )
        return Group(
            Panel(halimede, title="Halimede", height=9),
            Panel(self._users(), title=f"users, last {WINDOW_SECONDS:.0f} s", height=6),
        )

    def line(self, seen: Snapshot) -> str:
        """Describe in one line where the rollout is, and on what evidence."""
        return f"{self._where(seen)} {_in_a_line(seen.evidence)}".rstrip()

    def _where(self, seen: Snapshot) -> str:
        rollout = seen.status.rollout
        if rollout is None:
            version = self._version(seen.stable)
            serves = f"{version} serves everything" if version else "nothing serves"
            more = "" if seen.resolved else ", and the digest of the new files is determined"
            return serves + more
        version, step = self._version(rollout.revision), f"step {rollout.step + 1}/{rollout.steps}"
        return f"{version} {rollout.state}, {step}, {rollout.weight} %"

    def _halimede(self, seen: Snapshot) -> RenderableType:
        rows: list[RenderableType] = [Text(self._where(seen), style="bold"), self._bar(seen)]
        evidence = seen.evidence
        if evidence:
            rows.append(_evidence_table(evidence))
            rows.append(Text(evidence.message or "", style="dim"))
        elif seen.status.last_rollout:
            rows.append(Text(seen.status.last_rollout.message, style="dim"))
        return Group(*rows)

    def _bar(self, seen: Snapshot) -> Text:
        share = round(BAR * seen.weight / 100)
        rollout = seen.status.rollout
        bar = Text(f"{self._version(seen.stable):>3} ")
        bar.append("█" * (BAR - share), style="green")
        bar.append("█" * share, style="yellow")
        return bar.append(f" {self._version(rollout.revision) if rollout else ''}")

    def _users(self) -> Table:
        now = time.time()
        records = self._stage.load.journal.records
        recent = [record for record in records[-2000:] if record.at > now - WINDOW_SECONDS]
        table = Table(box=None, expand=True, pad_edge=False)
        for heading in ("", "per s", "HTTP", "gRPC", "errors", "right"):
            table.add_column(heading, justify="right")
        for version, tally in by_version(recent).items():
            table.add_row(*_row(version or "lost", tally, WINDOW_SECONDS))
        table.add_row(*_row("all so far", Tally.of(list(records)), _span(records)), style="bold")
        return table

    def _version(self, revision: str) -> str:
        names = {made: version for version, made in self._stage.revisions.items()}
        return names.get(revision, revision)


def _row(name: str, tally: Tally, seconds: float) -> list[str]:
    errors = tally.model_errors + tally.lost
    return [
        name,
        f"{tally.requests / seconds:.0f}",
        str(tally.http),
        str(tally.grpc),
        f"[red]{errors}[/red]" if errors else "0",
        f"{tally.accuracy:.1%}",
    ]


def _span(records: list[Record]) -> float:
    return max(records[-1].at - records[0].at, 1.0) if records else 1.0


def _in_a_line(evidence: Evidence | None) -> str:
    sources = evidence.sources if evidence else ()
    return "; ".join(
        f"{source.source}: {source.canary_errors} errors in {source.canary_requests}"
        for source in sources
    )


def _evidence_table(evidence: Evidence) -> Table:
    table = Table(box=None, expand=True, pad_edge=False)
    for heading in ("evidence", "new one's errors", "in", "old one's errors", "in"):
        table.add_column(heading, justify="right")
    for source in evidence.sources:
        counts = (
            source.canary_errors,
            source.canary_requests,
            source.stable_errors,
            source.stable_requests,
        )
        table.add_row(source.source, *map(str, counts))
    return table
