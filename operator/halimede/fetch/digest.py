"""The digest of a model's files, which is compared with `spec.model.sha256`."""

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath


def of_file(path: Path) -> str:
    """Return the SHA-256 of one file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_files(root: Path, paths: Iterable[PurePosixPath]) -> str:
    r"""Return one digest for the files *paths* under *root*.

    It is what `sha256sum` prints for a single file. For several it is the SHA-256 of the lines
    `<sha256>  <path>\n`, sorted by path: `find . -type f | sed 's|^./||' | LC_ALL=C sort |
    xargs sha256sum | sha256sum` computes the same.
    """
    ordered = sorted(paths, key=lambda path: str(path).encode())
    if len(ordered) == 1:
        return of_file(root / ordered[0])
    lines = "".join(f"{of_file(root / path)}  {path}\n" for path in ordered)
    return hashlib.sha256(lines.encode()).hexdigest()
