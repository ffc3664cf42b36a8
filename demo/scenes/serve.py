"""The first version is served, and answers about a real digit over both protocols."""

from tritonclient.utils import InferenceServerException

from demo.ask import Answer, over_grpc, over_http
from demo.pods import verified_digests
from demo.stage import Stage
from harness import manifests
from harness.images import Images, draw
from harness.watch import Snapshot


def play(stage: Stage) -> None:
    """Serve v1 and classify one handwritten digit with tritonclient through the gateway."""
    stage.begin("v1 is served")
    stage.apply(manifests.namespace())
    stage.apply(*stage.supply.provide(stage.versions.values(), stage.when))
    stage.when("ask for v1")
    stage.ask_for("v1")
    seen = stage.wait("v1 to be Ready", lambda seen: seen.ready)
    stage.then("v1 is Ready", holds=True, found=f"revision {stage.revisions['v1']}")
    _claim_digest(stage, seen)
    _classify(stage)
    stage.when("from here on, users ask all the time: single images by HTTP, batches by gRPC")
    stage.load.start()
    stage.wait_for_requests("the users to come", lambda: len(stage.records()) > 100)
    stage.end()


def _claim_digest(stage: Stage, seen: Snapshot) -> None:
    """Compare the digest in the status with that of the uploaded files, if they were uploaded."""
    expected = stage.supply.digest(stage.versions["v1"])
    if expected is None:
        return
    digest = seen.status.model.digest if seen.status.model else None
    stage.then(
        "the status has the SHA-256 of what was uploaded, and v1's pod verified it",
        holds=digest == expected and verified_digests(stage.pods("v1")) == {expected},
        found=f"status.model.digest {digest}",
    )


def _classify(stage: Stage) -> None:
    images = stage.load.plan.images
    chosen = images.pick([_position_of_a_three(images)])
    digit = int(chosen.digits[0])
    stage.when(f"a handwritten digit, a {digit} as people see it:\n{draw(chosen.pixels[0])}")
    gateway = stage.load.plan.http
    for protocol, ask in (("HTTP", over_http), ("gRPC", over_grpc)):
        text = f"through the gateway over {protocol}, v1 calls it a {digit}"
        try:
            answer = ask(gateway, chosen.pixels)
        except InferenceServerException as error:
            stage.then(text, holds=False, found=error)
            continue
        right = answer.digit == digit and answer.served_by == "v1"
        stage.then(text, holds=right, found=_in_words(answer))


def _position_of_a_three(images: Images) -> int:
    """Choose the first 3 of the held-out images: easy to recognise in a terminal."""
    return next(position for position, digit in enumerate(images.digits) if digit == 3)


def _in_words(answer: Answer) -> str:
    return f"a {answer.digit} at {answer.probability:.0%}, says {answer.served_by}"
