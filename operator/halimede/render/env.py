"""Manifests from templates. The values of expressions never pass through YAML, so none is misread.

A template writes the number of a value where the value belongs, and the YAML is parsed once for
each text that comes out so: objects of the same shape differ only in their values. Parsing every
object took a third of the time of a reconcile.
"""

import hashlib
import json
from functools import cache, lru_cache
from typing import Any

import jinja2
import yaml
from jinja2.runtime import Context

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP

RENDERED = f"{GROUP}/rendered"
"""Annotation with the digest of the rendered object: it changes when a field is removed, which a
comparison of the desired fields alone would miss."""
SHAPES = 256
"""Number of parsed shapes that are cached; there are few, but users decide on the lengths of some
lists."""

_VALUES = "values_of_expressions"
"""The variable of a template that collects the values."""
_TAG = "!value"
_PLAIN = (str, int, float, bool, type(None))


class _Place(int):
    """Where the value with this number belongs."""


class _Loader(yaml.CSafeLoader):
    """Reads places."""


def _read_place(loader: _Loader, node: yaml.ScalarNode) -> _Place:
    return _Place(loader.construct_scalar(node))


_Loader.add_constructor(_TAG, _read_place)


def canonical(value: Any) -> str:
    """Return JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def fragment(kind: str, **values: Any) -> Manifest:
    """Render a part of an object from a template.

    Raises:
        jinja2.UndefinedError: The template names something that does not exist.
    """
    return fill(environment().get_template(f"{kind}.yaml.j2"), **values)


def fill(template: jinja2.Template, **values: Any) -> Manifest:
    """Render a template to an object. Values that are JSON are not copied: do not modify them."""
    found: list[Any] = []
    text = template.render(**values, **{_VALUES: found})
    manifest: Manifest = _put_values(_parse(text), found)
    return manifest


def with_digest(manifest: Manifest) -> Manifest:
    """Return an object with its digest in its annotations."""
    digest = hashlib.sha256(canonical(manifest).encode()).hexdigest()[:16]
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations", {}) | {RENDERED: digest}
    return manifest | {"metadata": metadata | {"annotations": annotations}}


def render(kind: str, **values: Any) -> Manifest:
    """Render a whole object from a template, with its digest."""
    return with_digest(fragment(kind, **values))


@cache
def environment() -> jinja2.Environment:
    """Return the environment of the manifests' templates; it is created once."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("halimede.render"),
        undefined=jinja2.StrictUndefined,
        finalize=_collect,
        autoescape=False,  # noqa: S701 -- YAML, not HTML; no value is written into it
        trim_blocks=True,
        lstrip_blocks=True,
    )


@jinja2.pass_context
def _collect(context: Context, value: Any) -> str:
    """Collect the value of an expression, and return what stands for it in the YAML."""
    if isinstance(value, jinja2.Undefined):
        str(value)  # StrictUndefined raises an error with the missing name
    found: list[Any] = context[_VALUES]
    found.append(value)
    return f"{_TAG} {len(found) - 1}"


@lru_cache(maxsize=SHAPES)
def _parse(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _put_values(shape: Any, found: list[Any]) -> Any:
    """Return a copy of a parsed template with the values in their places."""
    if isinstance(shape, dict):
        return {_put_values(key, found): _put_values(one, found) for key, one in shape.items()}
    if isinstance(shape, list):
        return [_put_values(one, found) for one in shape]
    return _as_parsed(found[shape]) if isinstance(shape, _Place) else shape


def _as_parsed(value: Any) -> Any:
    """Return a value as it is read from JSON: enums are strings, and tuples are lists.

    What is already so is not copied: pod templates are large, and several renderings have them.
    """
    return value if _is_plain(value) else json.loads(json.dumps(value))


def _is_plain(value: Any) -> bool:
    if type(value) is dict:
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if type(value) is list:
        return all(map(_is_plain, value))
    return type(value) in _PLAIN
