"""Going back to the good version is one apply, and starts no new pod."""

from demo.pods import restarts
from demo.stage import Stage


def play(stage: Stage) -> None:
    """Ask for v2 again."""
    stage.begin("back to v2")
    before, pods = stage.revisions["v2"], _names(stage)
    stage.when("ask for v2 again")
    stage.ask_for("v2")
    seen = stage.wait("v2 to be Ready", lambda seen: seen.ready and seen.settled)
    stage.then("v2 is Ready", holds=seen.stable == stage.revisions["v2"])
    stage.then("the same spec is the same revision", holds=stage.revisions["v2"] == before)
    stage.then(
        "its pod is the one that was promoted",
        holds=_names(stage) == pods and restarts(stage.pods("v2")) == 0,
        found=", ".join(sorted(pods)),
    )
    stage.end()


def _names(stage: Stage) -> set[str]:
    return {pod["metadata"]["name"] for pod in stage.pods("v2")}
