"""The page on upgrades agrees with rendering about new revisions."""

from typing import Any

import pytest

from halimede.api.spec import ModelDeploymentSpec
from halimede.render.platform import Platform
from halimede.render.revision import POD_FIELDS, render_revision
from tests.support.pages import table
from tests.unit.render.resources import INPUTS, digits

CHANGES: dict[str, Any] = {
    "model": {"config": {"backend": "python", "maxBatchSize": 9}},
    "runtime": {"version": "26.10"},
    "replicas": 7,
    "autoscaling": {"maxReplicas": 3},
    "resources": {"limits": {"cpu": 1}},
    "gpu": {"count": 2},
    "expose": {"type": "Service"},
    "probes": {"startupTimeoutSeconds": 700},
    "drain": {"exitTimeoutSeconds": 31},
    "rollout": {"strategy": "BlueGreen", "progressDeadlineSeconds": 60},
    "serviceAccountName": "models",
    "podTemplate": {"spec": {"nodeSelector": {"pool": "a"}}},
}
ROWS = table("docs/upgrade.md", "| field of the spec | new revision |")
PLATFORM = Platform(fetch_image="registry.example/halimede-fetch:0.1.0")


def test_every_field_of_the_spec_is_in_the_table() -> None:
    """Every field of the spec has a row."""
    known = {field.alias or name for name, field in ModelDeploymentSpec.model_fields.items()}
    assert ROWS.keys() == CHANGES.keys() == known


def test_fields_of_the_digest_are_those_that_make_a_revision() -> None:
    """What is left out of the digest could never be rolled out after an upgrade."""
    fields = ModelDeploymentSpec.model_fields
    digested = {fields[name].alias or name for name in POD_FIELDS}
    assert digested == {field for field, (answer,) in ROWS.items() if answer == "yes"}


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_makes_a_revision_as_the_table_says(field: str) -> None:
    """The revision's hash changes exactly as the table says."""
    before = render_revision(digits(), PLATFORM, INPUTS).hash
    after = render_revision(digits(**{field: CHANGES[field]}), PLATFORM, INPUTS).hash
    assert (after != before) is {"yes": True, "no": False}[ROWS[field][0]]
