"""Every bound in the schema, on a real API server: values beyond it are rejected by path."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.api.crd import build_crd
from tests.api.conftest import Rejection
from tests.api.objects import (
    ABSENT,
    BY_GATEWAY,
    BY_INGRESS,
    BY_ROUTE,
    BY_SERVICE,
    model_deployment,
    put,
)

SPEC = build_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
Path = tuple[str, ...]
Case = tuple[Path, str, Any]
"""The path, the schema's keyword, and a value that violates it."""


def cases(schema: Manifest, path: Path = ()) -> Iterator[Case]:
    """Yield an invalid value for every keyword that bounds a field of the spec."""
    for keyword, value in schema.items():
        if keyword in BAD:
            yield path, keyword, BAD[keyword](value, schema)
    for name in schema.get("required", ()):
        yield (*path, name), "required", ABSENT
    for name, field in schema.get("properties", {}).items():
        yield from cases(field, (*path, name))
    if "items" in schema:
        yield from cases(schema["items"], (*path, "0"))


BAD: dict[str, Any] = {
    "type": lambda kind, _: 3 if kind in ("string", "object", "array") else "three",
    "minimum": lambda least, _: least - 1,
    "maximum": lambda most, _: most + 1,
    "minLength": lambda _, __: "",
    "maxLength": lambda most, _: "a" * (most + 1),
    "pattern": lambda pattern, _: "Oh\nno!" if re.search(pattern, "Oh no!") else "Oh no!",
    "enum": lambda _, __: "Odd",
    "minItems": lambda _, __: [],
    "maxItems": lambda most, schema: [sample(schema["items"], n) for n in range(most + 1)],
    "maxProperties": lambda most, _: {f"k{n}": "1" for n in range(most + 1)},
}


def sample(schema: Manifest, number: int) -> Any:
    """Return an item for a list that is too long."""
    match schema["type"]:
        case "integer":
            return number
        case "string":
            return f"a{number}"
        case _:
            return {"name": f"a{number}"}


CASES = list(cases(SPEC))


def spoiled(path: Path, value: Any) -> Manifest:
    """Return a valid spec that has the field, with it set to *value*."""
    for good in (BY_GATEWAY, BY_INGRESS, BY_ROUTE, BY_SERVICE):
        if has(good, path):
            spec = deepcopy(good)
            put(spec, list(path), value)
            return spec
    raise LookupError(f"no good object has {'.'.join(path)}")


def has(value: Any, path: Path) -> bool:
    """Return whether there is a field at *path*."""
    for name in path:
        if isinstance(value, list):
            value = value[int(name)] if int(name) < len(value) else ABSENT
        else:
            value = value.get(name, ABSENT)
        if value is ABSENT:
            return False
    return True


@pytest.mark.parametrize(
    "good", [BY_GATEWAY, BY_INGRESS, BY_ROUTE, BY_SERVICE], ids=["g", "i", "r", "s"]
)
def test_good_objects_are_accepted(rejection: Rejection, good: Manifest) -> None:
    """Valid objects that together have every field are accepted."""
    assert rejection(model_deployment(good)) == ""


@pytest.mark.parametrize(
    ("path", "keyword", "value"),
    [pytest.param(*case, id=f"{'.'.join(case[0])}-{case[1]}") for case in CASES if case[0]],
)
def test_bounds(rejection: Rejection, path: Path, keyword: str, value: Any) -> None:
    """A value beyond a bound is rejected, and the message names the field."""
    field = "spec." + ".".join(path).replace(".0", "[0]")
    message = rejection(model_deployment(spoiled(path, value)))
    assert field in message, keyword
