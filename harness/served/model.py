"""Serve a digit classifier: an ONNX file run by onnxruntime in Triton's Python backend.

This file is in a ConfigMap beside ``classifier.onnx`` and ``about.json`` and runs inside Triton,
so it imports nothing of the demo. A ``fault.json`` beside it makes a revision fail as real ones
do; only the demo's bad revisions have one. The README of triton-inference-server/python_backend
describes the backend's interface.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import triton_python_backend_utils as pb_utils

PIXELS = 64
DIGITS = 10
MAX_BATCH_SIZE = 32


@dataclass(frozen=True, slots=True)
class Fault:
    """The requests on which this revision fails; by default none."""

    ink_above: float = float("inf")
    """Answer with an error when any image of the request has more ink (sum of its pixels)."""
    batch_above: int = MAX_BATCH_SIZE
    """Answer with an error when the request carries more images than this."""
    refuses_to_load: bool = False
    """Raise while loading, so that Triton never reports the model as ready."""

    def error(self, images: npt.NDArray[np.float32]) -> str | None:
        """Return why this revision fails on ``images``, or None."""
        if len(images) > self.batch_above:
            return f"cannot reshape {len(images)} images into {self.batch_above}"
        ink = float(images.sum(axis=1).max(initial=0.0))
        if ink > self.ink_above:
            return f"overflow: ink {ink:.0f} is above {self.ink_above:.0f}"
        return None


class TritonPythonModel:
    """Classify images of 8 x 8 pixels; Triton calls the methods by name."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Declare inputs, outputs and batching, so that a config.pbtxt may leave them out."""
        config = auto_complete_model_config
        config.set_max_batch_size(MAX_BATCH_SIZE)
        config.set_dynamic_batching()
        config.add_input({"name": "IMAGE", "data_type": "TYPE_FP32", "dims": [PIXELS]})
        config.add_output({"name": "DIGIT", "data_type": "TYPE_INT64", "dims": [1]})
        config.add_output({"name": "PROBABILITIES", "data_type": "TYPE_FP32", "dims": [DIGITS]})
        config.add_output({"name": "SERVED_BY", "data_type": "TYPE_STRING", "dims": [1]})
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Load the classifier from the version folder that Triton names."""
        folder = Path(args["model_repository"]) / args["model_version"]
        self.version = str(json.loads((folder / "about.json").read_text())["version"])
        self.fault = _read_fault(folder / "fault.json")
        if self.fault.refuses_to_load:
            message = f"{self.version}: the weights do not fit the graph"
            raise RuntimeError(message)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # a graph this small only loses by handing work around
        self.session = onnxruntime.InferenceSession(str(folder / "classifier.onnx"), options)
        self.input = self.session.get_inputs()[0].name

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request; the good ones of a batch share one run of the graph."""
        batches = [pb_utils.get_input_tensor_by_name(one, "IMAGE").as_numpy() for one in requests]
        errors = [self.fault.error(images) for images in batches]
        good = [images for images, error in zip(batches, errors, strict=True) if error is None]
        answers = iter(self._classify(good))
        return [next(answers) if error is None else self._refuse(error) for error in errors]

    def _classify(self, batches: list[npt.NDArray[np.float32]]) -> list[Any]:
        """Run the graph once over all images and cut the result back into responses."""
        if not batches:
            return []
        digits, probabilities = self.session.run(None, {self.input: np.concatenate(batches)})
        cuts = np.cumsum([len(images) for images in batches])[:-1]
        pairs = zip(np.split(digits, cuts), np.split(probabilities, cuts), strict=True)
        return [self._respond(digit, probability) for digit, probability in pairs]

    def _respond(
        self, digits: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32]
    ) -> Any:
        served_by = np.full((len(digits), 1), self.version.encode(), dtype=np.object_)
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("DIGIT", digits.reshape(-1, 1)),
                pb_utils.Tensor("PROBABILITIES", probabilities.astype(np.float32)),
                pb_utils.Tensor("SERVED_BY", served_by),
            ]
        )

    def _refuse(self, error: str) -> Any:
        """Return the error instead of raising it: Triton then counts the request as a success."""
        return pb_utils.InferenceResponse(
            output_tensors=[], error=pb_utils.TritonError(f"{self.version}: {error}")
        )


def _read_fault(path: Path) -> Fault:
    return Fault(**json.loads(path.read_text())) if path.exists() else Fault()
