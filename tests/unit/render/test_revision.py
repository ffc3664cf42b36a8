"""Revisions: what makes a new one, and their complete record."""

from typing import Any

import pytest

from halimede.render.images import Platform
from halimede.render.revision import InvalidRecordError, from_record, record, render_revision
from tests.unit.render.resources import INPUTS, digits

PLATFORM = Platform(halimede_image="registry.example/halimede:0.1.0")
BEFORE = render_revision(digits(), PLATFORM, INPUTS)


def test_record_holds_everything() -> None:
    """A revision read from its record equals the original."""
    assert from_record(record(digits(), BEFORE)) == BEFORE


def test_same_spec_same_hash() -> None:
    """Rendering twice gives the same revision."""
    assert render_revision(digits(), PLATFORM, INPUTS) == BEFORE


def test_operator_update_makes_no_revision() -> None:
    """The fetcher's image is not part of the hash: an update of Halimede restarts no model."""
    updated = Platform(halimede_image="registry.example/halimede:0.2.0")
    assert render_revision(digits(), updated, INPUTS).hash == BEFORE.hash


def test_the_digest_is_of_the_spec_alone() -> None:
    """Other settings of the operator render another revision of the same digest."""
    moved = Platform(PLATFORM.halimede_image, triton_repository="mirror.example/triton")
    after = render_revision(digits(), moved, INPUTS)
    assert after.hash != BEFORE.hash
    assert after.spec_digest == BEFORE.spec_digest


def test_a_default_that_is_written_out_is_no_change() -> None:
    """The API server writes defaults into the spec; they say nothing new."""
    assert render_revision(digits(drain={}), PLATFORM, INPUTS).spec_digest == BEFORE.spec_digest


def test_own_fetcher_makes_a_revision() -> None:
    """A fetcher that the user chose is part of the revision."""
    patch = {"spec": {"initContainers": [{"name": "fetch", "image": "mine:1"}]}}
    assert render_revision(digits(podTemplate=patch), PLATFORM, INPUTS).hash != BEFORE.hash


def test_new_files_make_a_revision() -> None:
    """A change in the ConfigMap that holds the model is a new revision."""
    changed = {"digits": {"data": {"model.py": "print(1)"}}}
    assert render_revision(digits(), PLATFORM, changed).hash != BEFORE.hash


@pytest.mark.parametrize(
    "spec",
    [
        {"runtime": {"version": "24.11"}},
        {"resources": {"limits": {"cpu": 1}}},
        {"drain": {"exitTimeoutSeconds": 31}},
        {"model": {"config": {"backend": "python", "maxBatchSize": 9}}},
        {"model": {"config": {"backend": "python", "maxBatchSize": 8}, "sha256": "ab" * 32}},
    ],
)
def test_what_changes_the_pod_makes_a_revision(spec: dict[str, Any]) -> None:
    """Every field of the pod is part of the revision."""
    assert render_revision(digits(**spec), PLATFORM, INPUTS).hash != BEFORE.hash


@pytest.mark.parametrize(
    "spec",
    [
        {"replicas": 7},
        {"autoscaling": {"maxReplicas": 3}},
        {"expose": {"type": "Service"}},
        {"rollout": {"strategy": "BlueGreen"}},
    ],
)
def test_what_leaves_the_pod_alone_makes_none(spec: dict[str, Any]) -> None:
    """Replicas and exposure are not part of the revision."""
    assert render_revision(digits(**spec), PLATFORM, INPUTS).hash == BEFORE.hash


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"data": {}},
        {"data": {"revision.json": "{"}, "metadata": {"name": "x"}},
        {"data": {"revision.json": "[]"}, "metadata": {"name": "x"}},
    ],
)
def test_foreign_config_map_is_rejected(broken: dict[str, Any]) -> None:
    """A changed or foreign ConfigMap raises instead of being rendered."""
    with pytest.raises(InvalidRecordError, match="does not contain a valid revision"):
        from_record(broken)
