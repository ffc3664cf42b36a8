"""Revisions: what makes a new one, and their complete record."""

import json
from dataclasses import replace
from typing import Any

import pytest

from halimede.render.platform import Platform
from halimede.render.revision import (
    InvalidRecordError,
    Revision,
    digest_record,
    find_digest,
    from_record,
    is_asked_for,
    record,
    render_data,
    render_revision,
    revision_hash,
    with_fetcher,
)
from tests.unit.render.resources import INPUTS, digits

PLATFORM = Platform(fetch_image="registry.example/halimede-fetch:0.1.0")
BEFORE = render_revision(digits(), PLATFORM, INPUTS)


def test_record_holds_everything() -> None:
    """A revision read from its record equals the original."""
    assert from_record(BEFORE.hash, record(digits(), BEFORE)) == BEFORE


def test_same_spec_same_hash() -> None:
    """Rendering twice gives the same revision."""
    assert render_revision(digits(), PLATFORM, INPUTS) == BEFORE


def test_operator_update_makes_no_revision() -> None:
    """The fetcher's image is not part of the hash: an update of Halimede restarts no model."""
    updated = Platform(fetch_image="registry.example/halimede-fetch:0.2.0")
    assert render_revision(digits(), updated, INPUTS).hash == BEFORE.hash


def test_the_digest_is_of_the_spec_alone() -> None:
    """Other settings of the operator render another revision of the same digest."""
    moved = Platform(PLATFORM.fetch_image, triton_repository="mirror.example/triton")
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
        {"runtime": {"version": "26.10"}},
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
        {"data": {"config.pbtxt": "", "revision.json": '{"model": 1, "podTemplate": {}}'}},
        {
            "data": {
                "config.pbtxt": "",
                "revision.json": '{"model": "m", "podTemplate": {}, "specDigest": []}',
            }
        },
    ],
)
def test_foreign_config_map_is_rejected(broken: dict[str, Any]) -> None:
    """A changed or foreign ConfigMap raises instead of being rendered."""
    with pytest.raises(InvalidRecordError, match="it does not contain a revision"):
        from_record(BEFORE.hash, broken)


def test_names_are_the_beginning_of_digests() -> None:
    """Only a salt changes that, and each salt gives another name."""
    assert BEFORE.hash == revision_hash(BEFORE.digest) == BEFORE.digest[:8]
    assert len({revision_hash(BEFORE.digest, collisions) for collisions in range(100)}) == 100


def test_the_digest_of_a_record_covers_everything() -> None:
    """Also the fetcher's image, which the revision's own digest leaves out."""
    digest = digest_record(record(digits(), BEFORE))
    other = with_fetcher(BEFORE, PLATFORM, "registry.example/halimede-fetch:0.2.0")
    assert other.digest == BEFORE.digest
    assert digest_record(render_data(BEFORE)) == digest != digest_record(render_data(other))
    config_map = record(digits(), BEFORE)
    for part, changed in (("data", config_map["data"] | {"more": ""}), ("binaryData", {"a": ""})):
        assert digest_record(config_map | {part: changed}) != digest
    assert digest_record(config_map | {"metadata": {}}) == digest
    assert digest_record({"data": {}}) == digest_record({"binaryData": None})


def test_another_fetcher_is_what_another_operator_renders() -> None:
    """A lost record can be written again as it was before an upgrade."""
    updated = Platform(fetch_image="registry.example/halimede-fetch:0.2.0")
    after = render_revision(digits(), updated, INPUTS)
    assert with_fetcher(after, updated, PLATFORM.fetch_image) == BEFORE


def old(revision: Revision) -> Revision:
    """Return a revision as it is read from a record of a version without digests."""
    content = json.loads(revision.record) | {"specDigest": revision.spec_digest[:16]}
    del content["digest"]
    config_map = record(digits(), replace(revision, record=json.dumps(content)))
    return from_record(revision.hash, config_map)


def test_records_without_digests_stay_as_they_are() -> None:
    """An immutable ConfigMap cannot get the digest later, so it is computed."""
    before = old(BEFORE)
    assert (before.digest, find_digest(before)) == ("", BEFORE.digest)
    assert from_record(before.hash, record(digits(), before)) == before
    assert is_asked_for(before, BEFORE)
    assert is_asked_for(replace(before, spec_digest=""), BEFORE)


def test_a_fetcher_of_the_user_is_found_too() -> None:
    """Then no image was left out."""
    patch = {"spec": {"initContainers": [{"name": "fetch", "image": "mine:1"}]}}
    own = render_revision(digits(podTemplate=patch), PLATFORM, INPUTS)
    assert find_digest(old(own)) == own.digest


@pytest.mark.parametrize(
    "template", [{}, {"spec": {"initContainers": []}}, {"spec": {"initContainers": [1]}}, "x"]
)
def test_another_content_than_the_hash_is_found_out(template: Any) -> None:
    """No image leads from the content to the hash, whatever it is."""
    assert find_digest(replace(old(BEFORE), pod_template=template)) is None


def test_accepting_a_vulnerable_version_asks_for_the_same() -> None:
    """It changes no pod, so it must not ask for what a newer operator would render."""
    old, accepted = (
        render_revision(digits(runtime={"version": "24.10"} | more), PLATFORM, INPUTS)
        for more in ({}, {"allowVulnerableVersion": True})
    )
    assert accepted == old
    assert accepted.spec_digest == old.spec_digest


@pytest.mark.parametrize("supply", [{}, {"resolve": "OnChange", "resolveIntervalSeconds": 60}])
def test_reading_the_files_again_asks_for_the_same(supply: dict[str, Any]) -> None:
    """Given a spec that says only when its files are read, then it asks for the same revision."""
    model = {"storageUri": "https://h/m.onnx", "config": {"backend": "onnxruntime"}}
    before, after = (
        render_revision(digits(model=model | more), PLATFORM, {})
        for more in ({}, {"supply": supply})
    )
    assert after == before


def test_another_spec_is_not_asked_for() -> None:
    """Neither the digest of the spec nor that of the pods is the same."""
    after = render_revision(digits(runtime={"version": "26.10"}), PLATFORM, INPUTS)
    assert not is_asked_for(BEFORE, after)
    assert not is_asked_for(replace(BEFORE, spec_digest=""), after)
