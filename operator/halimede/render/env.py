"""Templates that cannot produce what was not meant: every expression is written as JSON."""

import hashlib
import json
import re
from functools import cache, lru_cache
from typing import Any

import jinja2
import yaml

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP

PARSED = 2048
"""Manifests that are kept parsed: those of some 300 ModelDeployments, about 60 kB for each."""
RENDERED = f"{GROUP}/rendered"
"""Annotation with the digest of what was rendered: a field that is wanted no more shows in it,
where a comparison of the wanted fields alone would overlook it."""

_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")


def canonical(value: Any) -> str:
    """Write JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def as_json(value: Any) -> str:
    """Write the value of a template's expression as JSON, which is YAML.

    No quoting can go wrong then: `no`, `1e3` and line breaks stay the strings that they are.

    Raises:
        jinja2.UndefinedError: The template names something that does not exist.
    """
    if isinstance(value, jinja2.Undefined):
        str(value)  # StrictUndefined says which name is missing
    # JSON writes characters beyond 16 bits as pairs, which YAML does not join again.
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_PLAIN.sub(lambda found: f"\\U{ord(found[0]):08x}", text)


@cache
def environment() -> jinja2.Environment:
    """Build the environment of the manifests' templates, once."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("halimede.render"),
        undefined=jinja2.StrictUndefined,
        finalize=as_json,
        autoescape=False,  # noqa: S701 -- YAML, not HTML; finalize quotes everything
        trim_blocks=True,
        lstrip_blocks=True,
    )


def fragment(kind: str, **values: Any) -> Manifest:
    """Render a template that is a part of an object."""
    return _parsed(environment().get_template(f"{kind}.yaml.j2").render(**values))


@lru_cache(maxsize=PARSED)
def _parsed(text: str) -> Manifest:
    """Read YAML, which costs more than all the rest of a pass, once for each text.

    Whoever gets the manifest shares it: manifests are never changed, only made anew.
    """
    manifest: Manifest = yaml.load(text, Loader=yaml.CSafeLoader)
    return manifest


def with_digest(manifest: Manifest) -> Manifest:
    """Write the digest of an object into its annotations."""
    digest = hashlib.sha256(canonical(manifest).encode()).hexdigest()[:16]
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations", {}) | {RENDERED: digest}
    return manifest | {"metadata": metadata | {"annotations": annotations}}


def render(kind: str, **values: Any) -> Manifest:
    """Render a whole object from a template and stamp it."""
    return with_digest(fragment(kind, **values))
