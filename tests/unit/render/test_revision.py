"""Revisions: what makes a new one, what does not, and that their record is complete."""

import yaml

from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.platform import Platform
from halimede.render.revision import from_record, record, revision

PLATFORM = Platform(halimede_image="registry.example/halimede:0.1.0")
INPUTS = {"digits": {"data": {"model.py": "print()"}, "binaryData": {"model.onnx": "AAAA"}}}
SPEC = """
metadata: {name: digits, namespace: ml, uid: u1, generation: 1}
spec:
  model: {storageUri: "configMap://digits", config: {backend: python, maxBatchSize: 8}}
  runtime: {version: "24.10"}
  expose: {type: Gateway, gateway: {parentRefs: [{name: public}]}}
"""


def digits(**spec: object) -> ModelDeployment:
    """Make a ModelDeployment with some of its spec replaced."""
    manifest = yaml.safe_load(SPEC)
    return ModelDeployment.from_manifest({**manifest, "spec": manifest["spec"] | spec})


def test_record_holds_everything() -> None:
    """A revision that is read back from its record is the revision."""
    wanted = revision(digits(), PLATFORM, INPUTS)
    assert from_record(record(digits(), wanted)) == wanted


def test_same_spec_same_hash() -> None:
    """Rendering twice gives the same revision."""
    assert revision(digits(), PLATFORM, INPUTS) == revision(digits(), PLATFORM, INPUTS)


def test_operator_update_makes_no_revision() -> None:
    """The fetcher's image is not part of the hash: an update of Halimede restarts no model."""
    updated = Platform(halimede_image="registry.example/halimede:0.2.0")
    before = revision(digits(), PLATFORM, INPUTS)
    assert revision(digits(), updated, INPUTS).hash == before.hash


def test_scale_makes_no_revision() -> None:
    """The number of replicas is no part of a revision."""
    before = revision(digits(), PLATFORM, INPUTS)
    assert revision(digits(replicas=7), PLATFORM, INPUTS).hash == before.hash


def test_new_files_make_a_revision() -> None:
    """A change in the ConfigMap that holds the model is a new revision."""
    changed = {"digits": {"data": {"model.py": "print(1)"}}}
    before = revision(digits(), PLATFORM, INPUTS)
    assert revision(digits(), PLATFORM, changed).hash != before.hash


def test_new_image_makes_a_revision() -> None:
    """Another Triton is another revision."""
    before = revision(digits(), PLATFORM, INPUTS)
    assert revision(digits(runtime={"version": "24.11"}), PLATFORM, INPUTS).hash != before.hash
