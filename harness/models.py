"""Train the demo's classifiers on scikit-learn's digits and pack them as Triton model folders."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from skl2onnx import to_onnx
from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from harness.data import digits

SERVED = Path(__file__).parent / "served" / "model.py"
"""The Python-backend model that every version ships."""

CONFIG_MAP_LIMIT = 700_000
"""Bytes a version may take: a ConfigMap holds 1 MiB, and etcd needs some of it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the model: what it is, how accurate it is, and its files."""

    name: str
    title: str
    accuracy: float
    """Share of the held-out images that it classifies correctly, 0 to 1."""
    files: Mapping[str, bytes] = field(repr=False)
    """Content by file name; all of them belong into the version folder of the model."""

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(map(len, self.files.values()))

    def write(self, folder: Path) -> Path:
        """Write the files into ``folder``, created if missing, and return it."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        return folder


def train() -> dict[str, Version]:
    """Train both classifiers and pack every version that the story needs, by name."""
    simple, simple_accuracy = _fit(LogisticRegression(max_iter=1000))
    better, better_accuracy = _fit(CalibratedClassifierCV(SVC(gamma=0.001), ensemble=False))
    versions = [
        _pack("v1", "logistic regression", simple, simple_accuracy),
        _pack("v2", "support vectors", better, better_accuracy),
        _pack("v3", "v2, fails on inky images", better, better_accuracy, ink_above=350.0),
        _pack("v4", "v2, fails on batches", better, better_accuracy, batch_above=1),
        _pack("v5", "v2, never loads", better, better_accuracy, refuses_to_load=True),
    ]
    return {version.name: version for version in versions}


def _fit(classifier: ClassifierMixin) -> tuple[bytes, float]:
    """Train on one half, measure on the other, and convert to ONNX."""
    learn, ask = digits()
    classifier.fit(learn.pixels, learn.digits)
    accuracy = float(classifier.score(ask.pixels, ask.digits))
    with warnings.catch_warnings():
        # The converter still reads attributes that scikit-learn 1.9 deprecates.
        warnings.simplefilter("ignore", FutureWarning)
        # zipmap would turn the probabilities into a list of maps, which no tensor can carry.
        graph = to_onnx(classifier, learn.pixels[:1], options={"zipmap": False})
    return graph.SerializeToString(), accuracy


def _pack(name: str, title: str, onnx: bytes, accuracy: float, **fault: float) -> Version:
    about = {"version": name, "title": title, "accuracy": accuracy}
    files = {
        "model.py": SERVED.read_bytes(),
        "classifier.onnx": onnx,
        "about.json": json.dumps(about).encode(),
    }
    if fault:
        files["fault.json"] = json.dumps(fault).encode()
    return Version(name, title, accuracy, files)
