"""A version that never loads gets no traffic at all."""

from demo.pods import became_ready
from demo.stage import Stage
from halimede.api.conditions import ConditionType
from halimede.api.status import Outcome
from harness.manifests import PROGRESS_DEADLINE_SECONDS
from harness.records import Tally
from harness.watch import weights_of


def play(stage: Stage) -> None:
    """Ask for v5 and see it given up."""
    stage.begin("v5 never loads, and gets no requests")
    seen = stage.watch.latest
    stage.given("v2 serves", holds=seen is not None and seen.stable == stage.revisions["v2"])
    stage.when(f"ask for v5, which has {PROGRESS_DEADLINE_SECONDS} s to become ready")
    revision = stage.ask_for("v5")
    stage.wait_for_start("v5")
    stage.wait("its pod to be created", lambda _: len(stage.pods("v5")) > 0)
    stage.then("its pod is not ready", holds=not became_ready(stage.pods("v5")))
    verdict = stage.wait_for_verdict("v5")
    stage.then(
        "the rollout of v5 was aborted",
        holds=verdict.outcome is Outcome.ABORTED,
        found=verdict.message,
    )
    weights = weights_of(stage.snapshots(), revision)
    stage.then("its weight was always 0", holds=weights == [0])
    stage.then("it answered no request", holds=not stage.answered_by("v5"))
    _claim_unharmed(stage)
    stage.end()


def _claim_unharmed(stage: Stage) -> None:
    tally = Tally.of(stage.records())
    stage.then(
        "no user noticed",
        holds=tally.requests > 0 and tally.model_errors == 0 and tally.lost == 0,
        found=f"{tally.requests} requests",
    )
    latest = stage.watch.history[-1]
    stage.then(
        "the resource says that v2 still serves and v5 is not live",
        holds=latest.condition(ConditionType.AVAILABLE) == "True" and not latest.ready,
    )
