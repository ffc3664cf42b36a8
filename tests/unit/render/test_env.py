"""Templates: every value is rendered as exactly that value."""

from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from halimede.render.env import RENDERED, environment, with_digest

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
    text = environment().from_string("a:\n  b: {{ value }}\n  c: 1\n").render(value=value)
    assert yaml.safe_load(text) == {"a": {"b": value, "c": 1}}


@pytest.mark.parametrize("text", ["no", "1e3", "0x1f", "~", "a: b", "\n  evil: true", "{{ x }}"])
def test_traps_of_yaml(text: str) -> None:
    """Text that YAML could read as another type stays text."""
    rendered = environment().from_string("a: {{ text }}").render(text=text)
    assert yaml.safe_load(rendered) == {"a": text}


def test_missing_name_is_an_error() -> None:
    """A misspelled name in a template raises with the name."""
    with pytest.raises(jinja2.UndefinedError, match="nmae"):
        environment().from_string("a: {{ nmae }}").render(name="x")


def test_digest_changes_with_a_removed_field() -> None:
    """A removed field changes the stamp."""
    whole = {"metadata": {"name": "x"}, "spec": {"a": 1, "b": 2}}
    less = {"metadata": {"name": "x"}, "spec": {"a": 1}}
    stamps = [
        with_digest(one)["metadata"]["annotations"][RENDERED] for one in (whole, less, whole)
    ]
    assert stamps[0] != stamps[1]
    assert stamps[0] == stamps[2]
