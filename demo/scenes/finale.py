"""The sums at the end: what all users together saw."""

from demo.stage import Stage
from harness.callers import REVISION_HEADER
from harness.records import Tally, by_version

LEAST_REQUESTS = 5000
"""How many requests the demo sends through the gateway at least."""

BAD = frozenset({"v3", "v4"})
"""The versions that answer with errors; no other one may."""


def play(stage: Stage) -> None:
    """Let the users finish and add up."""
    stage.begin("what users saw in total")
    stage.wait_for_requests(
        f"{LEAST_REQUESTS} requests",
        lambda: len(stage.records(since=0.0)) >= LEAST_REQUESTS,
    )
    stage.load.stop()
    versions = by_version(stage.records(since=0.0))
    total = Tally.of(stage.records(since=0.0))
    stage.then(
        f"at least {LEAST_REQUESTS} requests passed the gateway, over HTTP and gRPC",
        holds=total.requests >= LEAST_REQUESTS and min(total.http, total.grpc) > 1000,
        found=f"{total.requests}: {total.http} HTTP, {total.grpc} gRPC",
    )
    stage.then("none was lost", holds=total.lost == 0, found=f"{total.lost}")
    good = sum(tally.model_errors for name, tally in versions.items() if name not in BAD)
    stage.then("no good version answered with an error", holds=good == 0, found=f"{good}")
    _claim_revisions(stage)
    stage.end()


def _claim_revisions(stage: Stage) -> None:
    """Compare the revision in the gateway's header with the version in the model's answer."""
    answered = [record for record in stage.records(since=0.0) if record.version]
    stage.then(
        "each answer names the revision that gave it",
        holds=all(record.revision == stage.revisions[record.version] for record in answered),
        found=f"header {REVISION_HEADER} of {len(answered)} answers",
    )
