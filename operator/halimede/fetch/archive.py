"""Unpack untrusted archives."""

import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from halimede.adapters.errors import FetchError
from halimede.fetch.limits import CHUNK, Budget

_TAR = (".tar.gz", ".tgz", ".tar")
_ZIP = (".zip",)


def is_archive(name: str) -> bool:
    """Return whether *name* is the name of an archive that `unpack` supports."""
    return name.lower().endswith(_TAR + _ZIP)


def unpack(archive: Path, to: Path, budget: Budget) -> None:
    """Unpack plain files and folders; anything else in an archive is an error.

    Raises:
        FetchError: A member would land outside *to* or is a link or a device, the archive is
            damaged, or the budget is exceeded.
    """
    try:
        if archive.name.lower().endswith(_ZIP):
            _unpack_zip(archive, to, budget)
        else:
            _unpack_tar(archive, to, budget)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise FetchError(f"{archive.name} cannot be unpacked: {error}") from error


def _unpack_tar(archive: Path, to: Path, budget: Budget) -> None:
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            if member.isdir():
                continue
            content = tar.extractfile(member) if member.isfile() else None
            if content is None:
                raise FetchError(
                    f"{archive.name} contains {member.name!r}, which is not a regular file"
                )
            with content:
                _write(content, _target_path(to, member.name), budget)


def _unpack_zip(archive: Path, to: Path, budget: Budget) -> None:
    with zipfile.ZipFile(archive) as unzipped:
        for member in unzipped.infolist():
            if member.is_dir():
                continue
            if stat.S_ISLNK(member.external_attr >> 16):
                raise FetchError(f"{archive.name} contains {member.filename!r}, which is a link")
            with unzipped.open(member) as content:
                _write(content, _target_path(to, member.filename), budget)


def _target_path(to: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise FetchError(f"the archive would write to {name!r}, outside the model's folder")
    return to.joinpath(*path.parts)


def _write(content: IO[bytes], path: Path, budget: Budget) -> None:
    budget.add_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while chunk := content.read(CHUNK):
            budget.spend(len(chunk))
            file.write(chunk)
