"""Templates: every value is rendered as exactly that value."""

from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.api.status import State
from halimede.render.env import RENDERED, environment, fill, with_digest

KEYS = st.text(max_size=100)
"""Keys for YAML, which allows 1024 characters with escapes; Kubernetes' keys are shorter."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_values_come_out_as_they_went_in(value: Any) -> None:
    """No value changes its type or becomes another key or line of the manifest."""
    template = environment().from_string("a:\n  b: {{ value }}\n  c: 1\n")
    assert fill(template, value=value) == {"a": {"b": value, "c": 1}}


@pytest.mark.parametrize("text", ["no", "1e3", "0x1f", "~", "a: b", "\n  evil: true", "{{ x }}"])
def test_traps_of_yaml(text: str) -> None:
    """Text that YAML could read as another type stays text."""
    template = environment().from_string("a: {{ text }}\n{{ text }}: [{{ text }}]")
    assert fill(template, text=text) == {"a": text, text: [text]}


def test_objects_of_one_shape_share_only_values() -> None:
    """Each object has its own copy of the shape, but large values such as templates have none."""
    template = environment().from_string("a: {b: [1, {{ value }}]}")
    value = {"x": ["y"]}
    first, second = fill(template, value=value), fill(template, value=value)
    first["a"]["b"].append(2)
    assert second == {"a": {"b": [1, {"x": ["y"]}]}}
    assert second["a"]["b"][1] is value


def test_values_are_as_json_reads_them() -> None:
    """Enums are strings and tuples are lists, as in an object that the API server returns."""
    rendered = fill(environment().from_string("a: {{ value }}"), value=(State.BAKING, (1, 2)))
    assert rendered == {"a": ["Baking", [1, 2]]}
    assert type(rendered["a"][0]) is str


def test_missing_name_is_an_error() -> None:
    """A misspelled name in a template raises with the name."""
    with pytest.raises(jinja2.UndefinedError, match="nmae"):
        fill(environment().from_string("a: {{ nmae }}"), name="x")


def test_digest_changes_with_a_removed_field() -> None:
    """A removed field changes the stamp."""
    whole = {"metadata": {"name": "x"}, "spec": {"a": 1, "b": 2}}
    less = {"metadata": {"name": "x"}, "spec": {"a": 1}}
    stamps = [
        with_digest(one)["metadata"]["annotations"][RENDERED] for one in (whole, less, whole)
    ]
    assert stamps[0] != stamps[1]
    assert stamps[0] == stamps[2]
