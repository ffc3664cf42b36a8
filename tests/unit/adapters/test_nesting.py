"""JSON with limited nesting."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.adapters.nesting import MAX_DEPTH, limit_depth

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab{}[]"\\\n,: é'),
    lambda parts: (
        st.lists(parts, max_size=3) | st.dictionaries(st.text('k"{[\\'), parts, max_size=3)
    ),
    max_leaves=30,
)


def cut(value: Any, depth: int) -> Any:
    """Return a value without what is nested deeper, by recursion."""
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return None
    if isinstance(value, list):
        return [cut(part, depth - 1) for part in value]
    return {name: cut(part, depth - 1) for name, part in value.items()}


@given(VALUES, st.integers(1, 6), st.sampled_from((0, 1)))
def test_what_is_too_deep_is_null_and_everything_else_is_as_it_was(
    value: Any, depth: int, ensure_ascii: object
) -> None:
    """The result is that of a recursive function, whatever strings and keys contain."""
    text = json.dumps(value, ensure_ascii=bool(ensure_ascii)).encode()
    assert json.loads(limit_depth(text, depth)) == cut(value, depth)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1200, 9990])
def test_the_deepest_object_of_the_api_server_can_be_parsed(depth: int) -> None:
    """Given nesting up to the API server's limit, parsing and serializing succeed."""
    text = b'{"a":' * depth + b"1" + b"}" * depth
    assert json.dumps(json.loads(limit_depth(text))).count("{") == MAX_DEPTH


def test_shallow_text_is_not_copied() -> None:
    """Given JSON within the limit, it is returned as it is."""
    text = b'{"a": ["}", "\\\\\\"[["]}'
    assert limit_depth(text) is text
