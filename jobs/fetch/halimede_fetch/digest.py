"""The digest of a model's files, which is compared with `spec.model.sha256`."""

import hashlib
from collections.abc import Mapping
from pathlib import Path


def of_file(path: Path) -> str:
    """Return the SHA-256 of one file, in hexadecimal, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_folder(root: Path) -> str:
    r"""Return one digest for all files under *root* and their names.

    It is the SHA-256 of the lines `<sha256>  <path>\n`, sorted by path, which `find -L . -type f
    -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum` prints as well. The lines
    are unambiguous: `names.check` lets neither line breaks nor backslashes into a name.

    The digest of a model of one file is that of the file, if it lies in *root* or in its folder
    `1`: both are served as version 1, and which name is loaded is stated by the configuration,
    which is in the spec.
    """
    paths = [path for path in root.rglob("*") if path.is_file()]
    return of_digests({path.relative_to(root): of_file(path) for path in paths})


def of_digests(files: Mapping[Path, str]) -> str:
    """Return the digest of a folder from those of its files, by their paths in it."""
    paths = sorted(files, key=bytes)
    if len(paths) == 1 and paths[0].parent in (Path(), Path("1")):
        return files[paths[0]]
    lines = "".join(f"{files[path]}  {path}\n" for path in paths)
    return hashlib.sha256(lines.encode()).hexdigest()
