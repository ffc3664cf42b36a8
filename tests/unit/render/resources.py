"""ModelDeployments for the tests of rendering."""

from typing import Any

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import ModelDeployment

INPUTS: dict[str, Manifest | None] = {
    "digits": {"data": {"model.py": "print()"}, "binaryData": {"model.onnx": "AAAA"}}
}


def digits(*, model: dict[str, Any] | None = None, **spec: Any) -> ModelDeployment:
    """Return a valid ModelDeployment with parts of its model or spec replaced."""
    good = {
        "model": {
            "storageUri": "configMap://digits",
            **({"config": {"backend": "python", "maxBatchSize": 8}} if model is None else model),
        },
        "runtime": {"version": "26.09"},
        "expose": {"type": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}},
    }
    return ModelDeployment.from_manifest(
        {
            "metadata": {"name": "digits", "namespace": "ml", "uid": "u1", "generation": 1},
            "spec": good | spec,
        }
    )
