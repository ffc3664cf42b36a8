"""YAML as `kubectl` and other Go programs read it, which is neither YAML 1.1 nor 1.2.

They convert a document to JSON first: `y`, `no` and `on` are booleans, `1e3` and `0o17` are
numbers, but dates and `1:30` are strings, and the keys of maps are always strings
(`sigs.k8s.io/yaml`).
"""

import re
from collections.abc import Hashable
from math import isfinite
from typing import Any

import yaml
from typing_extensions import override

_TAG = "tag:yaml.org,2002:"
_SIGNS_AND_DIGITS = list("-+.0123456789")
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_TRUE = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_BOOL = re.compile(rf"(?:{'|'.join((*_TRUE, *_FALSE))})\Z")
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\.(?:inf|Inf|INF)|(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?)\Z"
    r"|\.(?:nan|NaN|NAN)\Z"
)
_RESOLVED = (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOL, list("yYnNtTfFoO")),
    ("int", _INT, _SIGNS_AND_DIGITS),
    ("float", _FLOAT, _SIGNS_AND_DIGITS),
)
"""The types of plain scalars, by their first characters; the first match applies."""


class Loader(yaml.SafeLoader):
    """Reads what JSON can express; a duplicate key is an error."""

    yaml_implicit_resolvers = {"<": [(f"{_TAG}merge", re.compile(r"<<\Z"))]}
    yaml_constructors = {
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.removeprefix(_TAG) in ("null", "str", "seq", "map")
    }

    @override
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise _error("expected a map", node)
        own = set[str]()
        for key, _ in node.value:
            name = self._key(key)
            if name in own:
                raise _error(f"the key {name!r} occurs twice", key)
            own.add(name)
        self.flatten_mapping(node)
        return {self._key(key): self.construct_object(value, deep) for key, value in node.value}

    def _key(self, node: yaml.Node) -> str:
        if node.tag == f"{_TAG}merge":
            return "<<"
        match self.construct_object(node, deep=True):
            case str(name):
                return name
            case bool(value):
                return str(value).lower()
            case (int() | float()) as number:
                return str(number)
            case other:
                raise _error(f"the key {other!r} is not a string", node)


class Dumper(yaml.SafeDumper):
    """Quotes every string that any of these dialects would read as another type."""


def _error(message: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, message, node.start_mark)


def _bool(loader: Loader, node: Any) -> bool:
    return loader.construct_scalar(node) in _TRUE


def _int(loader: Loader, node: Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    octal = re.match(r"[-+]?0[0-7]", text)
    try:
        return int(text, 8 if octal else 0)
    except ValueError as error:
        raise _error(f"{text!r} is not an integer", node) from error


def _float(loader: Loader, node: Any) -> int | float:
    text = loader.construct_scalar(node).replace("_", "")
    number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if not isfinite(number):
        raise _error(f"{text} cannot be written as JSON", node)
    # JSON writes a number without a fraction as an integer.
    return int(number) if number.is_integer() else number


Loader.add_constructor(f"{_TAG}bool", _bool)
Loader.add_constructor(f"{_TAG}int", _int)
Loader.add_constructor(f"{_TAG}float", _float)
for _name, _pattern, _first in _RESOLVED:
    Loader.add_implicit_resolver(_TAG + _name, _pattern, _first)
    Dumper.add_implicit_resolver(_TAG + _name, _pattern, _first)
