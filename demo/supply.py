"""Where the cluster gets the files of the versions from: a bucket, or ConfigMaps."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from halimede.api.base import Manifest
from harness import manifests
from harness.models import Version
from harness.object_store import ObjectStore, store_inside
from localcluster.cluster import Access, Cluster
from localcluster.progress import Tell

BUCKET = "models"
SECRET = "model-store"  # noqa: S105 - the name of a Secret


class Supply(Protocol):
    """A place for the files of all versions."""

    def provide(self, versions: Iterable[Version], tell: Tell) -> list[Manifest]:
        """Put the files there, say so, and return the objects to apply."""

    def source(self, version: str) -> Manifest:
        """Return the fields of `spec.model` that name the files of a version."""

    def digest(self, version: Version) -> str | None:
        """Return what the status should have as the digest of a version; None: nothing."""


@contextmanager
def supplied(cluster: Access, tell: Tell) -> Iterator[Supply]:
    """Decide on the place. Raise ``ClusterError`` if the store does not start."""
    if not isinstance(cluster, Cluster):
        tell("· models come from ConfigMaps: your cluster cannot reach a store on this machine")
        yield ConfigMaps()
        return
    with store_inside(cluster) as store:
        tell(f"· models come from an S3 store (versitygw) in the cluster: {store.url}")
        yield Bucket(store)


class ConfigMaps:
    """A ConfigMap for each version."""

    def provide(self, versions: Iterable[Version], tell: Tell) -> list[Manifest]:
        """Return the ConfigMaps."""
        tell("put every version's files into a ConfigMap")
        return [manifests.config_map(version) for version in versions]

    def source(self, version: str) -> Manifest:
        """Return the address of its ConfigMap."""
        return manifests.in_config_map(version)

    def digest(self, _version: Version) -> str | None:
        """Return None: such a revision has the files themselves."""
        return None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of an S3 store, in which each version has a key of its own."""

    store: ObjectStore

    def provide(self, versions: Iterable[Version], tell: Tell) -> list[Manifest]:
        """Create the bucket, upload the files, and return the Secret with the keys."""
        tell(f"create the bucket {BUCKET}, and upload every version's files")
        self.store.add_bucket(BUCKET)
        for version in versions:
            files = _objects(version)
            for path, content in files.items():
                self.store.put(BUCKET, f"{_key(version.name)}/{path}", content)
            tell(f"{len(files)} objects, {version.size:,} bytes, to {_address(version.name)}")
        tell(f"write the keys of the bucket into the Secret {SECRET}")
        return [self.store.secret(SECRET, manifests.NAMESPACE)]

    def source(self, version: str) -> Manifest:
        """Return the address of its folder, and how it is reached."""
        return {
            "storageUri": _address(version),
            "secretName": SECRET,
            "supply": self.store.supply(),
        }

    def digest(self, version: Version) -> str | None:
        """Return the SHA-256 of the list of its files, as docs/concepts.md defines it."""
        return digest_of(_objects(version))


def digest_of(files: dict[str, bytes]) -> str:
    """Return the digest of a folder with several files, given by their paths."""
    lines = (
        f"{hashlib.sha256(content).hexdigest()}  {path}\n"
        for path, content in sorted(files.items())
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _objects(version: Version) -> dict[str, bytes]:
    return {f"1/{name}": content for name, content in version.files.items()}


def _key(version: str) -> str:
    return f"{manifests.NAME}/{version}"


def _address(version: str) -> str:
    return f"s3://{BUCKET}/{_key(version)}"
