"""The environment of the templates: each expression is written as JSON, so no value is misread."""

import hashlib
import json
import re
from functools import cache
from typing import Any

import jinja2
import yaml

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP

RENDERED = f"{GROUP}/rendered"
"""Annotation with the digest of the rendered object: it changes when a field is removed, which a
comparison of the desired fields alone would miss."""

_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")


def canonical(value: Any) -> str:
    """Return JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def as_json(value: Any) -> str:
    """Return the value of a template's expression as JSON, which is also YAML.

    So strings such as `no`, `1e3` and line breaks stay strings.

    Raises:
        jinja2.UndefinedError: The template names something that does not exist.
    """
    if isinstance(value, jinja2.Undefined):
        str(value)  # StrictUndefined raises an error with the missing name
    # JSON writes characters beyond 16 bits as pairs, which YAML does not join again.
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_PLAIN.sub(lambda match: f"\\U{ord(match[0]):08x}", text)


@cache
def environment() -> jinja2.Environment:
    """Return the environment of the manifests' templates; it is created once."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("halimede.render"),
        undefined=jinja2.StrictUndefined,
        finalize=as_json,
        autoescape=False,  # noqa: S701 -- YAML, not HTML; finalize quotes everything
        trim_blocks=True,
        lstrip_blocks=True,
    )


def fragment(kind: str, **values: Any) -> Manifest:
    """Render a part of an object from a template."""
    text = environment().get_template(f"{kind}.yaml.j2").render(**values)
    manifest: Manifest = yaml.load(text, Loader=yaml.CSafeLoader)
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
