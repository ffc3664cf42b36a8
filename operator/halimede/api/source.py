"""Where a model's files come from: `spec.model.storageUri` taken apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from halimede.api.base import Manifest
from halimede.api.spec import ModelDeploymentSpec

Inputs = Mapping[str, Manifest | None]
"""The ConfigMaps that a spec reads, whole, by name; None: there is no such ConfigMap."""


class Scheme(StrEnum):
    """The kinds of places that models are fetched from."""

    CONFIG_MAP = "configMap"
    PVC = "pvc"
    HTTPS = "https"


@dataclass(frozen=True, slots=True)
class Source:
    """A `storageUri` in its parts."""

    scheme: Scheme
    location: str
    """The ConfigMap's name, the claim's name, or the whole `https://` URI."""
    path: str
    """Folder or file inside the claim; empty for the rest."""


def parse_source(uri: str) -> Source:
    """Take a storage URI apart.

    Raises:
        ValueError: The scheme is none of those that Halimede fetches from.

    >>> parse_source("pvc://models/digits/3")
    Source(scheme=<Scheme.PVC: 'pvc'>, location='models', path='digits/3')
    """
    name, separator, rest = uri.partition("://")
    if not separator or name not in tuple(Scheme):
        known = ", ".join(f"{scheme}://" for scheme in Scheme)
        raise ValueError(f"{uri!r} has none of the schemes {known}")
    scheme = Scheme(name)
    if scheme is Scheme.HTTPS:
        return Source(scheme, uri, "")
    place, _, path = rest.partition("/")
    return Source(scheme, place, path.strip("/"))


def config_maps(spec: ModelDeploymentSpec) -> tuple[str, ...]:
    """Name the ConfigMaps that the spec reads; whoever renders it must have looked at them."""
    model = parse_source(spec.model.storage_uri)
    return (model.location,) if model.scheme is Scheme.CONFIG_MAP else ()
