"""The source of a model's files: parsing of `spec.model.storageUri`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from halimede.api.base import Manifest
from halimede.api.cache import CacheKind
from halimede.api.spec import ModelDeploymentSpec

_ON_HUB = re.compile(
    r"(?P<name>hf://[^/@]+/[^/@]+)"
    r"(@(refs/(pr/\d+|convert/[\w.-]+)|[^/]+))?(?P<path>/.*)?",
    re.ASCII | re.DOTALL,
)
"""The fetcher has the same form, in `halimede_fetch.hub.address`."""
Inputs = Mapping[str, Manifest | None]
"""The ConfigMaps that a spec reads, whole, by name; None: there is no such ConfigMap."""


class Scheme(StrEnum):
    """The schemes of the URIs that models are fetched from."""

    CONFIG_MAP = "configMap"
    PVC = "pvc"
    HTTPS = "https"
    S3 = "s3"
    GS = "gs"
    HUB = "hf"


FETCHED = frozenset({Scheme.HTTPS, Scheme.S3, Scheme.GS, Scheme.HUB})
"""The schemes whose files come from a server, for which there may be credentials."""


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed `storageUri`."""

    scheme: Scheme
    location: str
    """The ConfigMap's name, the claim's name, or the whole URI of files on a server."""
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
    if scheme in FETCHED:
        return Source(scheme, uri, "")
    place, _, path = rest.partition("/")
    return Source(scheme, place, path.strip("/"))


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files that a source was resolved to. Pods serve no others."""

    digest: str
    """SHA-256, in hex digits, as `spec.model.sha256` defines it."""
    commit: str | None = None
    """The commit of a model on a hub."""
    manifest: str | None = None
    """SHA-256, in hex digits, of the manifest of the files in the cache; None: there is no cache,
    or they are not there yet."""


def at_commit(uri: str, commit: str) -> str:
    """Return an `hf://` URI with a commit as its revision.

    >>> at_commit("hf://org/repo@refs/pr/1/onnx", "5c38ec7")
    'hf://org/repo@5c38ec7/onnx'
    """
    found = _ON_HUB.fullmatch(uri)
    return f"{found['name']}@{commit}{found['path'] or ''}" if found else uri


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
