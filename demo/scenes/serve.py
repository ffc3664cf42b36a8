"""The first version is served, and answers about a real digit over both protocols."""

from tritonclient.utils import InferenceServerException

from demo.ask import Answer, over_grpc, over_http
from demo.stage import Stage
from harness import manifests
from harness.images import Images, draw


def play(stage: Stage) -> None:
    """Serve v1 and classify one handwritten digit with tritonclient through the gateway."""
    stage.begin("v1 is served")
    stage.when("put every version's files into a ConfigMap, and ask for v1")
    stage.apply(manifests.namespace())
    stage.apply(*map(manifests.config_map, stage.versions.values()))
    stage.ask_for("v1")
    stage.wait("v1 to be Ready", lambda seen: seen.ready)
    stage.then("v1 is Ready", holds=True, found=f"revision {stage.revisions['v1']}")
    _classify(stage)
    stage.when("from here on, users ask all the time: single images by HTTP, batches by gRPC")
    stage.load.start()
    stage.wait_for_requests("the users to come", lambda: len(stage.records()) > 100)
    stage.end()


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
