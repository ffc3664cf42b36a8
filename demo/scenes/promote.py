"""A better version is promoted step by step while users go on asking."""

from demo.pods import restarts
from demo.stage import Stage
from demo.verdict import Verdict
from halimede.api.status import Outcome
from harness.manifests import WEIGHTS
from harness.records import Tally
from harness.watch import weights_of

IMAGES_TO_COMPARE = 1500
"""Images that each version must have classified before their accuracies are compared."""


def play(stage: Stage) -> None:
    """Ask for v2 and watch it take over."""
    stage.begin("v2 is better, and is promoted on evidence")
    first = stage.watch.latest
    stage.given("v1 serves", holds=first is not None and first.stable == stage.revisions["v1"])
    accuracies = [f"{stage.versions[name].accuracy:.1%}" for name in ("v1", "v2")]
    stage.when("ask for v2: {1} right on held-out images, v1 has {0}".format(*accuracies))
    revision = stage.ask_for("v2")
    stage.wait_for_start("v2")
    verdict = stage.wait_for_verdict("v2")
    _claim_promotion(stage, revision, verdict)
    _claim_better_answers(stage)
    stage.end()


def _claim_promotion(stage: Stage, revision: str, verdict: Verdict) -> None:
    seen = stage.wait("v2 to be Ready", lambda seen: seen.ready)
    stage.then("v2 is Ready and serves everything", holds=seen.stable == revision)
    stage.then(
        "it was promoted by a rollout",
        holds=verdict.outcome is Outcome.PROMOTED,
        found=verdict.reason,
    )
    weights = weights_of(stage.snapshots(), revision)
    risen = [weight for weight in weights if weight in WEIGHTS]
    stage.then(
        f"its share rose through {', '.join(map(str, WEIGHTS))} %",
        holds=risen == list(WEIGHTS) and weights == sorted(weights),
        found=" → ".join(map(str, weights)),
    )
    judged = verdict.requests
    stage.then(
        "both the router and Triton gave evidence",
        holds={"Router", "Triton"} <= {name for name, count in judged.items() if count > 0},
        found=", ".join(f"{name} {count} requests" for name, count in judged.items()),
    )
    stage.then("no pod was restarted for it", holds=restarts(stage.pods("v2")) == 0)
    tally = Tally.of(stage.records())
    stage.then(
        "no user noticed",
        holds=tally.requests > 0 and tally.model_errors == 0 and tally.lost == 0,
        found=f"{tally.requests} requests, {tally.model_errors + tally.lost} errors",
    )


def _claim_better_answers(stage: Stage) -> None:
    def tallies() -> list[Tally]:
        records = stage.records(since=0.0)
        return [
            Tally.of(record for record in records if record.version == name)
            for name in ("v1", "v2")
        ]

    stage.wait_for_requests(
        "both versions to have classified enough",
        lambda: all(tally.images >= IMAGES_TO_COMPARE for tally in tallies()),
    )
    old, new = tallies()
    stage.then(
        "users get better answers",
        holds=new.accuracy > old.accuracy,
        found=f"{new.accuracy:.1%} right instead of {old.accuracy:.1%}",
    )
