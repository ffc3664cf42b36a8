"""The manifest of a model in the cache: the digest, size and path of each of its files.

Its lines are `<sha256>  <size>  <path>`, sorted by the bytes of the paths. The SHA-256 of these
lines names the model.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISREG

from halimede_fetch import names
from halimede_fetch.errors import DamagedError, FetchError
from halimede_fetch.limits import CHUNK, MAX_MEMBERS, Budget
from halimede_fetch.names import shown

MANIFEST = "manifest"
MODEL = "model"
_LINE = re.compile(r"([0-9a-f]{64})  (0|[1-9][0-9]{0,17})  (.+)")
_LONGEST = 1 << 25
"""Bytes of the longest manifest that is read: 10,000 files with paths of 3,000 bytes each."""


@dataclass(frozen=True, slots=True)
class _File:
    sha256: str
    size: int


def write(content: Path, budget: Budget) -> str:
    """Write the manifest of the folder `model` in *content*; return its digest.

    All of it is on the disk afterwards.

    Raises:
        FetchError: The time is over.
        OSError: Something cannot be read or written.
    """
    model = content / MODEL
    paths = sorted(
        (path.relative_to(model) for path in model.rglob("*") if path.is_file()), key=bytes
    )
    lines = []
    for path in paths:
        found = _read(model / path, budget, sync=True)
        lines.append(f"{found.sha256}  {found.size}  {path}\n")
    text = "".join(lines).encode()
    with (content / MANIFEST).open("xb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    for folder, _, _ in os.walk(content, topdown=False):
        sync_folder(Path(folder))
    return hashlib.sha256(text).hexdigest()


def verify(content: Path, digest: str, budget: Budget) -> int:
    """Compare every byte of *content* with the manifest of this digest; return the model's size.

    Raises:
        DamagedError: It does not exist, or something differs, is missing or was added.
        FetchError: The time is over.
        OSError: Something cannot be read.
    """
    expected = _parse(_read_manifest(content, digest))
    model = content / MODEL
    if not model.is_dir() or model.is_symlink():
        raise DamagedError(f"the folder {MODEL} is missing")
    folders = {str(parent) for path in expected for parent in PurePosixPath(path).parents}
    for path, is_folder in _walk(model):
        budget.seconds_left()
        if path not in (folders if is_folder else expected):
            raise DamagedError(f"{shown(path)} was added")
    for path, file in expected.items():
        _verify_file(model / path, path, file, budget)
    return sum(file.size for file in expected.values())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _verify_file(path: Path, name: str, expected: _File, budget: Budget) -> None:
    try:
        size = path.lstat().st_size
        # The size is compared first, so that a file that has grown is not read to its end.
        if size != expected.size or _read(path, budget).sha256 != expected.sha256:
            raise DamagedError(f"{shown(name)} differs")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DamagedError(f"{shown(name)} is missing") from error


def _read(path: Path, budget: Budget, *, sync: bool = False) -> _File:
    """Digest a file, and make it durable if *sync*."""
    hashed, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            budget.seconds_left()
            hashed.update(chunk)
            size += len(chunk)
        if sync:
            os.fsync(file.fileno())
    return _File(hashed.hexdigest(), size)


def _read_manifest(content: Path, digest: str) -> bytes:
    path = content / MANIFEST
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DamagedError(f"the file {MANIFEST} is missing") from error
    if not S_ISREG(status.st_mode) or status.st_size > _LONGEST:
        raise DamagedError(f"the file {MANIFEST} differs")
    text = path.read_bytes()
    if hashlib.sha256(text).hexdigest() != digest:
        raise DamagedError(f"the file {MANIFEST} differs")
    return text


def _parse(manifest: bytes) -> Mapping[str, _File]:
    """Return the files of a manifest by their paths.

    Its digest is what was expected, but who named that digest may have written it as well.
    """
    lines = manifest.decode(errors="surrogateescape").split("\n")
    if lines.pop() or not 0 < len(lines) <= MAX_MEMBERS:
        raise DamagedError(f"the file {MANIFEST} is no list of files")
    files: dict[str, _File] = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or not _is_plain(match[3]) or match[3] in files:
            raise DamagedError(f"the file {MANIFEST} has the invalid line {shown(line)}")
        files[match[3]] = _File(match[1], int(match[2]))
    return files


def _is_plain(path: str) -> bool:
    """Whether a path is the one spelling of a path inside the model's folder."""
    try:
        return str(names.check(path)) == path
    except FetchError:
        return False


def _walk(root: Path) -> Iterator[tuple[str, bool]]:
    """Yield the path of everything below *root*, and whether it is a folder.

    Raises:
        DamagedError: Something is neither a regular file nor a folder.
    """
    folders = [PurePosixPath()]
    while folders:
        here = folders.pop()
        with os.scandir(root / here) as entries:
            for entry in entries:
                path = here / entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not entry.is_file(follow_symlinks=False):
                    raise DamagedError(f"{shown(str(path))} is no file")
                yield str(path), is_folder
                if is_folder:
                    folders.append(path)
