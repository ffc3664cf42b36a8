"""Copy the files of a mounted folder: a ConfigMap, or a persistent volume."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from halimede_fetch.errors import FetchError
from halimede_fetch.limits import CHUNK, MAX_MEMBERS, Budget, too_many_members
from halimede_fetch.tree import Tree

_IGNORED = re.compile(r"\.\.data(_tmp)?|\.\.[0-9]{4}_[0-9]{2}_.*|lost\+found", re.DOTALL)
"""What the kubelet adds at the top of a ConfigMap's volume, and file systems at their own."""

_ERRORS = (OSError, RuntimeError)
"""What copying raises; RuntimeError: links lead in a circle (until Python 3.13)."""


def copy_folder(source: Path, volume: Path, tree: Tree) -> None:
    """Copy the selected files under the folder *source*.

    Args:
        source: The folder.
        volume: Links may lead to any file in this folder, which is or contains *source*.
        tree: Where to write.

    Raises:
        FetchError: A file cannot be read, a link leads out of *volume*, or the budget is exceeded.
    """
    try:
        _check_inside(source, volume)
        for path in _walk(source, tree):
            tree.write(str(path), _read(source / path, volume, tree.budget))
    except _ERRORS as error:
        raise _cannot_copy(error) from error
    tree.check_selected()
    if not any(tree.root.iterdir()):
        raise FetchError(f"{source} is empty: check spec.model.storageUri")


def copy_file(source: Path, volume: Path, to: Path, budget: Budget) -> Path:
    """Copy one file into the folder *to*, and return the copy.

    Raises:
        FetchError: As for `copy_folder`.
    """
    copied = to / source.name
    try:
        with copied.open("xb") as file:
            file.writelines(_read(source, volume, budget))
    except _ERRORS as error:
        raise _cannot_copy(error) from error
    return copied


def _walk(root: Path, tree: Tree) -> Iterator[PurePosixPath]:
    """Yield the paths of the selected files, and account for the folders."""
    folders = [PurePosixPath()]
    while folders:
        here = folders.pop()
        tree.add_folder(str(here))
        for entry in _selected(root, here, tree):
            if not entry.is_dir():
                yield here / entry.name
            elif entry.is_symlink():
                raise FetchError(
                    f"{entry.path} is a link to a directory: replace it with the directory, or"
                    f" exclude it: '{here / entry.name}/' in spec.model.supply.exclude"
                )
            else:
                folders.append(here / entry.name)


def _selected(root: Path, here: PurePosixPath, tree: Tree) -> list[os.DirEntry[str]]:
    """Return the selected files in a folder, and the folders that may contain some, by name."""
    found = []
    with os.scandir(root / here) as entries:
        for entry in entries:
            path = str(here / entry.name)
            if not here.parts and _IGNORED.fullmatch(entry.name):
                continue
            if tree.enters(path) if entry.is_dir() else tree.selects(path):
                found.append(entry)
            if len(found) > MAX_MEMBERS:
                raise too_many_members()
    return sorted(found, key=lambda entry: entry.name)


def _read(path: Path, volume: Path, budget: Budget) -> Iterator[bytes]:
    _check_inside(path, volume)
    if not path.is_file():
        raise FetchError(f"{path} is not a regular file: replace it by one, or remove it")
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            budget.spend(len(chunk))
            yield chunk


def _check_inside(path: Path, volume: Path) -> None:
    if not path.resolve().is_relative_to(volume.resolve()):
        raise FetchError(f"{path} is a link to a file outside of {volume}: replace it by the file")


def _cannot_copy(error: Exception) -> FetchError:
    return FetchError(
        f"the model cannot be copied: {error}; check the files that spec.model.storageUri leads"
        " to, and their permissions"
    )
