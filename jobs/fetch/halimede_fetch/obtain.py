"""Obtain a model: fetch the files of its source, verify them, and arrange them for Triton."""

from dataclasses import dataclass
from pathlib import Path

from halimede_fetch import digest, folder, names
from halimede_fetch.archive import unpack
from halimede_fetch.credentials import NO_CREDENTIALS, Credentials
from halimede_fetch.download import download
from halimede_fetch.errors import FetchError
from halimede_fetch.formats import NO_PICKLE, Formats
from halimede_fetch.layout import arrange
from halimede_fetch.limits import BLOCK, Budget
from halimede_fetch.patience import PATIENCE, Patience
from halimede_fetch.selection import EVERYTHING, Selection
from halimede_fetch.tree import Tree

_OWN_FOLDERS = 5
"""Folders that are not in a source: three of the fetcher, the model's and its version's."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which model to obtain, and what it may contain."""

    source: str
    """An `https://` address, or the path of a mounted file or folder."""
    sha256: str | None = None
    """The expected digest; None: any."""
    credentials: Credentials = NO_CREDENTIALS
    """For an `https://` source."""
    patience: Patience = PATIENCE
    """Limits how much of the time a server may waste."""
    volume: Path | None = None
    """Links in a mounted source may lead to files in this folder; None: in the source."""
    native_code: bool = False
    """Whether the model may contain shared libraries."""
    selection: Selection = EVERYTHING
    """Which files of the source become the model."""
    formats: Formats = NO_PICKLE
    """Which formats these files may have."""


def obtain(wanted: Wanted, stage: Path, to: Path, config: Path | None, budget: Budget) -> str:
    """Write the model to the new folder *to*; return the digest of what was fetched.

    Nothing is unpacked before it is complete and verified. The digest of a file is that of the
    file itself, also for an archive; for a folder it is that of the selected files, see
    `digest.of_folder`.

    Args:
        wanted: Which model.
        stage: An empty folder, or the path of a new one, on the same volume as *to*. The caller
            deletes it.
        to: Where to write it.
        config: A `config.pbtxt` that replaces the source's own.
        budget: Limits the size of a download and what is unpacked from it, together, and the time.

    Raises:
        FetchError: The model could not be fetched, or its digest is not the expected one.
    """
    tree = Tree(stage / "files", budget, wanted.native_code, wanted.selection, wanted.formats)
    _prepare(stage, config, budget)
    if "://" in wanted.source:
        file, actual = download(
            wanted.source,
            stage / "archive",
            wanted.credentials,
            budget,
            wanted.patience,
            verified=wanted.sha256 is not None,
        )
        _add_file(file, actual, tree, wanted.sha256)
    else:
        actual = _copy(Path(wanted.source), wanted.volume, stage / "archive", tree, wanted.sha256)
    arrange(tree.root, to, config)
    return actual


def _prepare(stage: Path, config: Path | None, budget: Budget) -> None:
    """Create the folders of the fetcher, and account for what is no part of the source."""
    for name in ("files", "archive"):
        (stage / name).mkdir(parents=True)
    budget.spend(_OWN_FOLDERS * BLOCK)
    if config is not None:
        budget.spend(BLOCK + config.stat().st_size)


def _copy(source: Path, volume: Path | None, stage: Path, tree: Tree, sha256: str | None) -> str:
    """Copy a mounted file or folder to *tree*; return the digest of the copy."""
    if source.is_dir():
        folder.copy_folder(source, volume or source, tree)
        actual = digest.of_folder(tree.root)
        _verify(actual, sha256)
        return actual
    if not source.exists():
        raise FetchError(f"{source} does not exist: check the path in spec.model.storageUri")
    names.check_file(source.name)
    copied = folder.copy_file(source, volume or source.parent, stage, tree.budget)
    actual = digest.of_file(copied)
    _add_file(copied, actual, tree, sha256)
    return actual


def _add_file(file: Path, actual: str, tree: Tree, sha256: str | None) -> None:
    """Move *file*, whose digest is *actual*, to *tree*, or unpack it there."""
    _verify(actual, sha256)
    if names.is_archive(file.name):
        unpack(file, tree)
    elif tree.selects(file.name):
        file.rename(tree.place(file.name))
    tree.check_selected()


def _verify(actual: str, expected: str | None) -> None:
    if expected is not None and actual != expected:
        raise FetchError(
            f"the digest of the files is {actual}, but spec.model.sha256 is {expected}:"
            " check that these are the right files, or correct the field"
        )
