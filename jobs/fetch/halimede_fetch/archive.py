"""Unpack untrusted archives."""

from pathlib import Path

from halimede_fetch import decompress, zip_archive
from halimede_fetch.errors import FetchError
from halimede_fetch.tar_archive import InvalidTarError, unpack_tar
from halimede_fetch.tree import Tree


def unpack(archive: Path, tree: Tree) -> None:
    """Unpack plain files and folders; anything else in an archive is an error.

    Raises:
        FetchError: A member must not be in a model, the archive is damaged, or the budget is
            exceeded.
    """
    try:
        if archive.name.lower().endswith(".zip"):
            zip_archive.unpack_zip(archive, tree)
        else:
            with archive.open("rb") as file:
                unpack_tar(decompress.decompress(file, tree.budget), tree)
    except (InvalidTarError, *decompress.ERRORS, *zip_archive.ERRORS) as error:
        raise FetchError(
            f"{archive.name} cannot be unpacked: {error}; check that it is complete and what its"
            " name says, or create it again"
        ) from error
