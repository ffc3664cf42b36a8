"""Random specs: what the schema allows, and what is meant to break the operator."""

import copy
from typing import Any

from hypothesis import strategies as st

from halimede.api.base import Manifest
from halimede.api.crd import build_crd
from harness.fake_spec import SPEC

MAX_ITEMS = 3
"""Of lists and maps; larger ones fail in the same ways."""
NASTY = (
    "",
    " ",
    "\n",
    "\x00",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "../../etc/passwd",
    "a" * 300,
    "ünï",
    "\u2028",
    "\U0001f600",
    "null",
    "yes",
    "1e3",
    "0x10",
    "-1",
    "configMap://digits",
    "configMap://",
    "https://",
    "s3://",
    "s3://models/a//b",
    "https://[::1",
    "pvc://a/b",
    "$patch",
)
NAMES = (
    *("metadata", "spec", "labels", "annotations", "containers", "initContainers", "volumes"),
    *("name", "image", "env", "value", "args", "command", "resources", "limits", "$patch"),
    *("securityContext", "livenessProbe", "httpGet", "exec", "sleep", "emptyDir", "configMap"),
    *("triton", "fetch", "model", "config", "halimede.dev/revision", "type", "target", "policies"),
    *("scaleUp", "replace", "delete", "$retainKeys", "$setElementOrder/containers"),
)
"""Keys of free-form fields that something in the operator knows."""

TEXT = st.sampled_from(NASTY) | st.text(max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.sampled_from(NAMES)
)
FREE_FORM = st.recursive(
    SCALARS,
    lambda parts: (
        st.lists(parts, max_size=MAX_ITEMS)
        | st.dictionaries(st.sampled_from(NAMES) | TEXT, parts, max_size=MAX_ITEMS)
    ),
    max_leaves=12,
)


def deep(levels: int) -> Manifest:
    """Return a map with this number of levels."""
    value: Any = 1
    for _ in range(levels):
        value = {"spec": value}
    return {"metadata": {"annotations": {"a": value}}}


def conforming(schema: Manifest) -> st.SearchStrategy[Any]:
    """Return the values that a structural schema allows, without its CEL rules."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        maps = st.dictionaries(st.sampled_from(NAMES) | TEXT, FREE_FORM, max_size=MAX_ITEMS)
        return maps | st.sampled_from(
            [deep(60), {"metadata": {"annotations": {"a": "x" * 70_000}}}]
        )
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(-10, 10**10) | TEXT
    return _BY_TYPE[schema["type"]](schema)


def _objects(schema: Manifest) -> st.SearchStrategy[Any]:
    if "additionalProperties" in schema:
        values = conforming(schema["additionalProperties"])
        return st.dictionaries(TEXT, values, max_size=MAX_ITEMS)
    fields = {name: conforming(part) for name, part in schema.get("properties", {}).items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def _lists(schema: Manifest) -> st.SearchStrategy[Any]:
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", MAX_ITEMS), max(least, MAX_ITEMS))
    return st.lists(conforming(schema["items"]), min_size=least, max_size=most)


def _strings(schema: Manifest) -> st.SearchStrategy[Any]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 400)
    texts = st.from_regex(schema["pattern"], fullmatch=True) if "pattern" in schema else TEXT
    return texts.filter(lambda text: least <= len(text) <= most)


def _integers(schema: Manifest) -> st.SearchStrategy[Any]:
    return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31 - 1))


_BY_TYPE = {
    "object": _objects,
    "array": _lists,
    "string": _strings,
    "integer": _integers,
    "boolean": lambda _: st.booleans(),
    "number": lambda _: st.floats(allow_nan=False, allow_infinity=False),
}


def _spec_schema() -> Manifest:
    (version,) = build_crd()["spec"]["versions"]
    schema: Manifest = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


_FIELDS = {name: conforming(part) for name, part in _spec_schema()["properties"].items()}


@st.composite
def specs(draw: st.DrawFn) -> Manifest:
    """Return a valid spec with some fields replaced by random ones."""
    spec = copy.deepcopy(SPEC)
    for name in draw(st.sets(st.sampled_from(sorted(_FIELDS)), min_size=1, max_size=3)):
        spec[name] = draw(_FIELDS[name])
    return spec
