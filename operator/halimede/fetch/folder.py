"""Copy the files of a mounted folder: a ConfigMap, or a persistent volume."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from halimede.adapters.errors import FetchError
from halimede.fetch.limits import CHUNK, Budget

_IGNORED = ("..", "lost+found")
"""Prefixes of what the kubelet adds to a ConfigMap's keys (`..data`), and file systems."""


def files(root: Path) -> tuple[PurePosixPath, ...]:
    """List all plain files under *root*, relative to it.

    Raises:
        FetchError: A folder cannot be read, or is a link.
    """
    return tuple(PurePosixPath(path.relative_to(root)) for path in _walk(root))


def copy(source: Path, to: Path, budget: Budget) -> None:
    """Copy the file *source*, or all files under the folder *source*, into the folder *to*.

    Raises:
        FetchError: *source* does not exist, a file cannot be read, a link leads outside, or the
            budget is exceeded.
    """
    if not source.exists():
        raise FetchError(f"{source} does not exist: check the path in spec.model.storageUri")
    root = source if source.is_dir() else source.parent
    paths = files(source) if source.is_dir() else (PurePosixPath(source.name),)
    try:
        for path in paths:
            _copy_file(root, path, to, budget)
    except OSError as error:
        raise FetchError(f"the model cannot be read: {error}") from error


def _walk(root: Path) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        raise FetchError(f"the model cannot be read: {error}") from error

    for folder, folders, names in os.walk(root, onerror=unreadable):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not name.startswith(_IGNORED))
        for name in folders:
            if (here / name).is_symlink():
                raise FetchError(
                    f"{here / name} is a link to a directory: replace it with the directory"
                )
        yield from (here / name for name in sorted(names) if not name.startswith(_IGNORED))


def _copy_file(root: Path, path: PurePosixPath, to: Path, budget: Budget) -> None:
    source = (root / path).resolve()
    if not source.is_relative_to(root.resolve()):
        raise FetchError(f"{root / path} is a link to a file outside of {root}")
    if not source.is_file():
        raise FetchError(f"{root / path} is not a regular file")
    budget.add_file()
    target = to / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(CHUNK):
            budget.spend(len(chunk))
            writing.write(chunk)
