"""YAML that Go programs and other readers parse alike."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from halimede.cli.yaml_dialect import Dumper, Loader

ROOT = Path(__file__).parents[3]
WORDS = [
    *("y", "Y", "n", "N", "yes", "No", "on", "OFF", "true", "False", "null", "NULL", "~", ""),
    *("1e3", "1E3", "-1e-3", "1.", ".5", "+.5e1", ".inf", "-.INF", ".NaN", "1_000", "08", "012"),
    *("0o17", "0x1f", "-0x1F", "0b11", "1:30", "1:30.5", "190:20:30", "2024-01-01", "=", "<<"),
    *("2024-01-01T00:00:00Z", "+1", "-", "- a", "a: b", "#", " a", "a\nb", "1.2.3", "26.09"),
]


def write(value: Any) -> str:
    """Return a document as YAML."""
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False)
    return text


def read(text: str) -> Any:
    """Parse one document."""
    (document,) = yaml.load_all(text, Loader=Loader)
    return document


@pytest.mark.parametrize("word", WORDS)
def test_strings_stay_strings(word: str) -> None:
    """Every string stays a string for readers of either dialect, also as a key."""
    text = write({word: word, "list": [word]})
    expected = {word: word, "list": [word]}
    assert read(text) == expected
    assert yaml.safe_load(text) == expected


@pytest.mark.parametrize(
    "word",
    [
        *("y", "n", "on", "1e3", "08", "012", "0o17", "0x1f", "1:30", "null", "~", "2024-01-01"),
        *("yes", "OFF", "1_000", "+1", ".5", "0b11"),
    ],
)
def test_what_some_reader_takes_for_something_else_is_quoted(word: str) -> None:
    """The quotes are tested, because not every reader is available here."""
    assert write([word]) == f"- '{word}'\n"


@pytest.mark.parametrize("word", ["a", "yesterday", "no-one", "v1", "1.2.3", "500m", "8-a", "nan"])
def test_plain_words_stay_plain(word: str) -> None:
    """Text that every reader parses as a string has no quotes."""
    assert write([word]) == f"- {word}\n"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text()
        | st.sampled_from(WORDS),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_is_written_is_read_again(value: Any) -> None:
    """Readers of either dialect parse what was written."""
    text = write(value)
    assert read(text) == value
    assert yaml.safe_load(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y", True),
        ("off", False),
        ("1e3", 1000),
        ("012", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b11", -3),
        ("1_000", 1000),
        ("08", 8),
        ("~", None),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("=", "="),
        ("26.09", 26.09),
        ("{1: a, yes: b, 1.5: c}", {"1": "a", "true": "b", "1.5": "c"}),
        ("{<<: {a: 1, b: 2}, a: 3}", {"a": 3, "b": 2}),
    ],
)
def test_read_as_kubectl_does(text: str, value: Any) -> None:
    """Plain scalars are parsed as by `kubectl`."""
    result = read(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{a: 1, a: 2}", "the key 'a' occurs twice"),
        ("a: 1\nb: 2\n'a': 3\n", "line 3"),
        ("{~: a}", "the key None is not a string"),
        ("{[a]: b}", "the key ['a'] is not a string"),
        ("a: .nan", ".nan cannot be written as JSON"),
        ("a: !!binary aGFsbG8=", "could not determine a constructor"),
        ("a: !!set {b, c}", "could not determine a constructor"),
        ("a: !!int x", "'x' is not an integer"),
    ],
)
def test_what_json_cannot_hold_is_rejected(text: str, says: str) -> None:
    """Values that JSON cannot represent are rejected."""
    with pytest.raises(yaml.YAMLError, match=re.escape(says)):
        read(text)


@pytest.mark.parametrize("file", ["crds/halimede.dev_modeldeployments.yaml"])
def test_committed_files_mean_the_same_to_all(file: str) -> None:
    """No string in committed files is another type for `kubectl`."""
    text = (ROOT / file).read_text()
    assert read(text) == yaml.safe_load(text)
