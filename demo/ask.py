"""Ask the gateway about one image with tritonclient, the client of Triton's users."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tritonclient.grpc
import tritonclient.http

from harness.manifests import HOSTNAME, NAME

Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Answer:
    """The model's answer about an image."""

    digit: int
    probability: float
    """The model's own confidence in that digit, 0 to 1."""
    served_by: str
    """The version that answered."""


def over_http(gateway: str, pixels: Pixels) -> Answer:
    """Send one image to ``gateway`` (host:port) over HTTP.

    Raises:
        tritonclient.utils.InferenceServerException: The answer was an error.
    """
    with tritonclient.http.InferenceServerClient(gateway) as client:
        image = tritonclient.http.InferInput("IMAGE", list(pixels.shape), "FP32")
        image.set_data_from_numpy(pixels)
        return _read(client.infer(NAME, [image], headers={"Host": HOSTNAME}))


def over_grpc(gateway: str, pixels: Pixels) -> Answer:
    """Send one image to ``gateway`` (host:port) over gRPC.

    Raises:
        tritonclient.utils.InferenceServerException: The answer was an error.
    """
    options = [("grpc.default_authority", HOSTNAME)]
    with tritonclient.grpc.InferenceServerClient(gateway, channel_args=options) as client:
        image = tritonclient.grpc.InferInput("IMAGE", list(pixels.shape), "FP32")
        image.set_data_from_numpy(pixels)
        return _read(client.infer(NAME, [image], client_timeout=10.0))


def _read(result: tritonclient.http.InferResult | tritonclient.grpc.InferResult) -> Answer:
    digit = int(result.as_numpy("DIGIT")[0][0])
    return Answer(
        digit=digit,
        probability=float(result.as_numpy("PROBABILITIES")[0][digit]),
        served_by=result.as_numpy("SERVED_BY")[0][0].decode(),
    )
