"""Obtain a model: fetch the files of its source, verify them, and arrange them for Triton."""

from dataclasses import dataclass
from pathlib import Path

from halimede_fetch import digest, folder, names
from halimede_fetch.archive import unpack
from halimede_fetch.credentials import NO_CREDENTIALS, Credentials
from halimede_fetch.download import download
from halimede_fetch.errors import FetchError
from halimede_fetch.formats import NO_PICKLE, Formats
from halimede_fetch.hub import address as hub
from halimede_fetch.hub.fetch import Fetched, fetch_model
from halimede_fetch.layout import arrange
from halimede_fetch.limits import BLOCK, Budget
from halimede_fetch.patience import PATIENCE, Patience
from halimede_fetch.selection import EVERYTHING, Selection
from halimede_fetch.stores.access import PUBLIC, Access
from halimede_fetch.stores.address import is_object_address
from halimede_fetch.stores.fetch import fetch_objects
from halimede_fetch.tree import Tree

_OWN_FOLDERS = 5
"""Folders that are not in a source: three of the fetcher, the model's and its version's."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which model to obtain, and what it may contain."""

    source: str
    """An `https://`, `s3://`, `gs://` or `hf://` address, or the path of a mounted file or
    folder."""
    sha256: str | None = None
    """The expected digest; None: any."""
    credentials: Credentials = NO_CREDENTIALS
    """For an `https://` or `hf://` source."""
    access: Access = PUBLIC
    """For an `s3://` or `gs://` source."""
    endpoint: str = ""
    """The address of the hub of an `hf://` source."""
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


@dataclass(frozen=True, slots=True)
class Found:
    """What was fetched."""

    digest: str
    """Of the source. That of a file is of the file itself, also for an archive; for a folder it is
    that of the selected files, see `digest.of_folder`."""
    commit: str | None = None
    """Of an `hf://` source."""


def obtain(wanted: Wanted, stage: Path, to: Path, config: Path | None, budget: Budget) -> Found:
    """Write the model to the new folder *to*.

    Nothing is unpacked before it is complete and verified.

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
    found = _fetch(wanted, stage / "archive", tree)
    arrange(tree.root, to, config)
    return found


def _fetch(wanted: Wanted, archive: Path, tree: Tree) -> Found:
    """Fetch the source to *tree*, by way of the folder *archive*."""
    source, patience, sha256 = wanted.source, wanted.patience, wanted.sha256
    if is_object_address(source):
        return Found(_fetch_objects(source, archive, wanted.access, tree, patience, sha256))
    if source.startswith(hub.SCHEME):
        model = hub.parse(source, wanted.endpoint)
        fetched = fetch_model(model, tree, archive, wanted.credentials, patience)
        return Found(_add_fetched(fetched, tree, sha256), fetched.commit)
    if "://" not in source:
        return Found(_copy(Path(source), wanted.volume, archive, tree, sha256))
    verified = sha256 is not None
    file, actual = download(
        source, archive, wanted.credentials, tree.budget, patience, verified=verified
    )
    _add_file(file, actual, tree, sha256)
    return Found(actual)


def _prepare(stage: Path, config: Path | None, budget: Budget) -> None:
    """Create the folders of the fetcher, and account for what is no part of the source."""
    for name in ("files", "archive"):
        (stage / name).mkdir(parents=True)
    budget.spend(_OWN_FOLDERS * BLOCK)
    if config is not None:
        budget.spend(BLOCK + config.stat().st_size)


def _add_fetched(found: Fetched, tree: Tree, sha256: str | None) -> str:
    """Verify the files from a hub; move the only file to *tree*. Return the digest."""
    if found.file is None:
        _verify(found.digest, sha256)
    else:
        _add_file(found.file, found.digest, tree, sha256)
    return found.digest


def _fetch_objects(
    source: str, stage: Path, access: Access, tree: Tree, patience: Patience, sha256: str | None
) -> str:
    """Fetch one object or a folder of objects to *tree*; return the digest."""
    fetched = fetch_objects(source, stage, access, tree, patience)
    if fetched is None:
        actual = digest.of_folder(tree.root)
        _verify(actual, sha256)
        return actual
    file, actual = fetched
    _add_file(file, actual, tree, sha256)
    return actual


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
            f"the digest of the files is {actual}, but that of the revision is {expected}:"
            " restore its files at the address, or change spec.model.sha256 or storageUri"
        )
