"""The source of a model's files: parsing of `spec.model.storageUri`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from halimede.api.base import Manifest
from halimede.api.cache import CacheKind
from halimede.api.spec import ModelDeploymentSpec

Inputs = Mapping[str, Manifest | None]
"""The ConfigMaps that a spec reads, whole, by name; None: there is no such ConfigMap."""


class Scheme(StrEnum):
    """The schemes of the URIs that models are fetched from."""

    CONFIG_MAP = "configMap"
    PVC = "pvc"
    HTTPS = "https"


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed `storageUri`."""

    scheme: Scheme
    location: str
    """The ConfigMap's name, the claim's name, or the whole `https://` URI."""
    path: str
    """Folder or file inside the claim; empty for the other schemes."""


def parse_source(uri: str) -> Source:
    """Parse a storage URI.

    Raises:
        ValueError: Halimede does not support the scheme.

    >>> parse_source("pvc://models/digits/3")
    Source(scheme=<Scheme.PVC: 'pvc'>, location='models', path='digits/3')
    """
    name, separator, rest = uri.partition("://")
    if not separator or name not in tuple(Scheme):
        schemes = ", ".join(f"{scheme}://" for scheme in Scheme)
        raise ValueError(f"{uri!r} has none of the schemes {schemes}")
    scheme = Scheme(name)
    if scheme is Scheme.HTTPS:
        return Source(scheme, uri, "")
    place, _, path = rest.partition("/")
    return Source(scheme, place, path.strip("/"))


def needs_resolving(spec: ModelDeploymentSpec) -> bool:
    """Whether a Job must read the files before there is a revision.

    Their digest is not known before, or they must be in the cache. The files of a `configMap://`
    source are copied to the revision's record.
    """
    source = parse_source(spec.model.storage_uri)
    if source.scheme is Scheme.CONFIG_MAP:
        return False
    return spec.model.sha256 is None or cache_claim(spec) is not None


def cache_claim(spec: ModelDeploymentSpec) -> str | None:
    """Return the claim of the cache; None: each pod fetches the files."""
    cache = spec.model.supply.cache if spec.model.supply else None
    if cache is None or cache.kind is CacheKind.NONE or cache.volume is None:
        return None
    return cache.volume.claim_name


def config_maps(spec: ModelDeploymentSpec) -> tuple[str, ...]:
    """Return the names of the ConfigMaps that the spec reads and rendering needs as `Inputs`."""
    model = parse_source(spec.model.storage_uri)
    return (model.location,) if model.scheme is Scheme.CONFIG_MAP else ()
