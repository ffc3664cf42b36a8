"""Two bad versions are stopped by evidence: one fails on some inputs, one only over gRPC."""

from demo.stage import Stage
from demo.verdict import Verdict
from halimede.api.status import Outcome
from harness.manifests import WEIGHTS
from harness.records import Outcome as Fate
from harness.records import Protocol, Record, Tally
from harness.watch import weights_of

MOST_ERRORS = 0.05
"""Share of the scene's requests that may have hit the bad version: its step gets a tenth."""


def play_errors(stage: Stage) -> None:
    """Ask for v3, which answers with errors that Triton itself counts as successes."""
    stage.begin("v3 returns errors on inky images, and is aborted")
    errors = _stop(stage, "v3").errors
    stage.then(
        "the router saw the errors that Triton counts as successes",
        holds=errors.get("Router", 0) > 0 and errors.get("Triton") == 0,
        found=", ".join(f"{source} {count} errors" for source, count in errors.items()),
    )
    stage.end()


def play_grpc(stage: Stage) -> None:
    """Ask for v4, which fails on batches: all HTTP users are fine, all gRPC users are not."""
    stage.begin("v4 fails only over gRPC, and is aborted as well")
    errors = _stop(stage, "v4").errors
    by_http = [record for record in stage.answered_by("v4") if record.protocol is Protocol.HTTP]
    stage.then(
        "over HTTP it never failed",
        holds=all(record.outcome is Fate.OK for record in by_http),
        found=f"{len(by_http)} requests answered well",
    )
    stage.then("so the evidence came from gRPC's own codes", holds=errors.get("Router", 0) > 0)
    stage.end()


def _stop(stage: Stage, version: str) -> Verdict:
    """Let ``version`` be rolled out and stopped, and claim what holds for every bad version."""
    seen = stage.watch.latest
    stage.given("v2 serves", holds=seen is not None and seen.stable == stage.revisions["v2"])
    stage.when(f"ask for {version}: {stage.versions[version].title}")
    stage.ask_for(version)
    stage.wait_for_start(version)
    verdict = stage.wait_for_verdict(version)
    _claim_stop(stage, version, verdict)
    _claim_cost(stage, version)
    _claim_silence(stage, version)
    return verdict


def _claim_stop(stage: Stage, version: str, verdict: Verdict) -> None:
    revision = stage.revisions[version]
    stage.then(
        f"{version} was stopped",
        holds=verdict.outcome is Outcome.ABORTED,
        found=verdict.reason,
    )
    message = verdict.evidence.message if verdict.evidence else ""
    stage.then("the status contains the evidence", holds=bool(message), found=message)
    warnings = [event for event in stage.events() if event["type"] == "Warning"]
    stage.then(
        "a Warning Event reports it too",
        holds=any(revision in event["message"] for event in warnings),
        found=", ".join(sorted({event["reason"] for event in warnings})),
    )
    highest = max(weights_of(stage.snapshots(), revision), default=0)
    stage.then(
        f"it never had more than the first step's {WEIGHTS[0]} %",
        holds=highest == WEIGHTS[0],
        found=f"{highest} %",
    )


def _claim_cost(stage: Stage, version: str) -> None:
    everyone, hit = Tally.of(stage.records()), Tally.of(stage.answered_by(version))
    stage.then(
        f"users saw errors in less than {MOST_ERRORS:.0%} of their requests",
        holds=0 < hit.model_errors < MOST_ERRORS * everyone.requests,
        found=f"{hit.model_errors} errors in {everyone.requests} requests",
    )
    stage.then(
        "every error was that version's own",
        holds=everyone.model_errors == hit.model_errors and everyone.lost == 0,
        found=f"{everyone.lost} requests lost",
    )


def _claim_silence(stage: Stage, version: str) -> None:
    over = stage.watch.history[-1].at
    later: list[Record] = []

    def enough() -> bool:
        later[:] = stage.records(since=over)
        return len(later) >= 150

    stage.wait_for_requests("users to go on after it", enough)
    stage.then(
        f"after that {version} gets no requests",
        holds=all(record.version == "v2" for record in later),
        found=f"{len(later)} requests, all answered by v2",
    )
