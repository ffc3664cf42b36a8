"""The schema: the committed CRD agrees with the models, without loss."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, Field

from halimede.api.crd import build_crd, crd_yaml
from halimede.api.schema import UnknownSchemaError, structural

ROOT = Path(__file__).parents[3]
LARGEST = 200_000
"""Bytes as JSON: `kubectl apply` keeps that copy in an annotation, and all annotations of an
object together may have 256 KiB (`TotalAnnotationSizeLimitB` of apimachinery)."""


@pytest.mark.parametrize(
    "path", ["crds/halimede.dev_modeldeployments.yaml", "charts/halimede/files/crd.yaml"]
)
def test_committed_is_current(path: str) -> None:
    """The committed CRD agrees with the output of `make crds`."""
    assert (ROOT / path).read_text() == crd_yaml()


def test_small_enough() -> None:
    """`kubectl apply` can store the CRD as JSON in its annotation."""
    assert len(json.dumps(build_crd()).encode()) < LARGEST


def test_written_in_block_style_without_anchors() -> None:
    """Each field has its own line without aliases, so a diff shows every change."""
    tokens = list(yaml.scan(crd_yaml()))
    hidden = [one for one in tokens if isinstance(one, yaml.AnchorToken | yaml.AliasToken)]
    starts = (yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
    ends = (yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
    filled = [
        one
        for one, following in pairwise(tokens)
        if isinstance(one, starts) and not isinstance(following, ends)
    ]
    assert (hidden, filled) == ([], [])
    assert yaml.safe_load(crd_yaml()) == build_crd()


def nodes(schema: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Yield every node of a schema with its path."""
    found = [(path, schema)]
    for name, field in schema.get("properties", {}).items():
        found += nodes(field, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            found += nodes(schema[keyword], f"{path}[]")
    return found


SPEC = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def test_everything_in_the_spec_is_bounded() -> None:
    """Every list, map and text in the spec has a maximum, which CEL's cost limits require."""
    unbounded = [
        path
        for path, node in nodes(SPEC)
        if (node.get("type") == "array" and "maxItems" not in node)
        or ("additionalProperties" in node and "maxProperties" not in node)
        or (node.get("type") == "string" and not {"maxLength", "enum", "format"} & node.keys())
    ]
    assert unbounded == []


def test_every_field_of_the_spec_is_explained() -> None:
    """Each field of the spec has a description for `kubectl explain`."""
    silent = [
        path for path, node in nodes(SPEC) if not path.endswith("[]") and "description" not in node
    ]
    assert silent == []


def test_absent_steps_stay_absent() -> None:
    """Steps have no default in the schema, because absent steps are chosen by the traffic."""
    rollout = SPEC["properties"]["rollout"]
    steps = rollout["properties"]["canary"]["properties"]["steps"]
    assert (steps["minItems"], "default" in steps) == (1, False)
    assert "steps" not in str(rollout.get("default")) + str(
        rollout["properties"]["canary"].get("default")
    )


def test_rules_have_a_remedy() -> None:
    """Each rule's message has a remedy, after a colon or a comma."""
    rules = [rule for _, node in nodes(SPEC) for rule in node.get("x-kubernetes-validations", ())]
    assert len(rules) > 20
    assert [rule["message"] for rule in rules if "fieldPath" not in rule] == []


class Union(BaseModel):
    """A model with a type that Kubernetes cannot express."""

    field: int | list[str]


class Constant(BaseModel):
    """A model with an unknown keyword."""

    field: int = Field(multiple_of=3)


class Anything(BaseModel):
    """A model with an untyped field."""

    field: Any


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (Union, "Union.field: a union"),
        (Constant, "Constant.field: 'multipleOf' cannot be written"),
        (Anything, "Anything.field: has no type"),
    ],
)
def test_unknown_is_an_error(model: type[BaseModel], found: str) -> None:
    """An unknown type raises instead of weakening the schema."""
    with pytest.raises(UnknownSchemaError, match=found):
        structural(model)
