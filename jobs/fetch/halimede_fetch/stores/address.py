"""Addresses of objects: `s3://BUCKET/KEY` and `gs://BUCKET/KEY`."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from typing_extensions import override

from halimede_fetch.errors import FetchError

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_KEY = re.compile(r"[^\x00-\x1f\x7f\\]*")
_END = "/"


class Scheme(StrEnum):
    """The protocols of object stores."""

    S3 = "s3"
    GS = "gs"
    """Google Cloud Storage."""


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """Where the objects of a model are."""

    scheme: Scheme
    bucket: str
    key: str
    """The key of one object, or the beginning of the keys of all, without the slash after it.
    Empty: all objects in the bucket."""
    is_folder: bool
    """Whether the address ends in a slash or names only the bucket, so that it is no object."""

    @property
    def name(self) -> str:
        """The last part of the key."""
        return PurePosixPath(self.key).name

    @override
    def __str__(self) -> str:
        """Return the address as it is written in `spec.model.storageUri`."""
        end = _END if self.is_folder else ""
        return f"{self.scheme}://{self.bucket}/{self.key}{end if self.key else ''}"

    def key_of(self, path: str) -> str:
        """Return the key of the object at *path* below the folder."""
        return f"{self.key}{_END}{path}" if self.key else path


def is_object_address(source: str) -> bool:
    """Whether *source* is the address of objects in a store."""
    return source.startswith(tuple(f"{scheme}://" for scheme in Scheme))


def parse_object_address(source: str) -> ObjectAddress:
    """Parse the address of one object or a folder of objects.

    Raises:
        FetchError: It has no valid bucket or key.

    >>> parse_object_address("s3://models/digits/3/")
    ObjectAddress(scheme=<Scheme.S3: 's3'>, bucket='models', key='digits/3', is_folder=True)
    """
    scheme, _, path = source.partition("://")
    bucket, _, rest = path.partition(_END)
    if not _BUCKET.fullmatch(bucket):
        raise FetchError(
            "the address in spec.model.storageUri has no valid bucket: correct it to the form"
            f" {scheme}://BUCKET/KEY"
        )
    key = rest.removesuffix(_END)
    parts = key.split(_END) if rest else []
    if any(part in {"", ".", ".."} for part in parts) or not _KEY.fullmatch(key):
        raise FetchError(
            "the key in spec.model.storageUri has an empty part, a part . or .., a backslash, or a"
            " control character: correct it, or rename the objects"
        )
    return ObjectAddress(Scheme(scheme), bucket, key, is_folder=not key or rest.endswith(_END))
