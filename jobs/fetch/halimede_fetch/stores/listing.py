"""List the objects of a folder."""

from dataclasses import dataclass, field

from halimede_fetch.errors import FetchError
from halimede_fetch.limits import MAX_MEMBERS, SPARE, too_many_members
from halimede_fetch.names import shown
from halimede_fetch.response import Version
from halimede_fetch.stores.client import Client
from halimede_fetch.stores.read import version_of
from halimede_fetch.tree import Tree


@dataclass(slots=True)
class Listing:
    """The objects of a folder, by their path below it."""

    files: dict[str, Version] = field(default_factory=dict)
    """The selected ones."""
    left_out: list[str] = field(default_factory=list)
    """The paths of the others."""


async def list_folder(client: Client, tree: Tree) -> dict[str, Version]:
    """Return the selected objects below the client's address, by their path below it.

    What is left out is accounted for. Objects without content that mark a folder are left out if
    there are objects in the folder; obstore removes the slash at the end of their keys.

    Raises:
        FetchError: There are too many, they have no place beside each other, or the store returned
            an error.
    """
    listing = await client.retrying(lambda: _list(client, tree))
    for path in listing.left_out:
        tree.selects(path)
    folders = {folder for path in listing.files for folder in _folders(path)}
    for path in folders & listing.files.keys():
        if listing.files.pop(path).size:
            raise FetchError(
                f"{client.context.address}: the object {shown(path)} has the name of a folder of"
                " other objects: rename it, or leave it out by spec.model.supply.exclude"
            )
    return listing.files


async def _list(client: Client, tree: Tree) -> Listing:
    address, listing = client.context.address, Listing()
    start = address.key_of("")
    async for page in client.pages(address.key or None):
        for meta in page:
            if meta["path"] == address.key:  # the object that marks the folder itself
                continue
            if not meta["path"].startswith(start):
                raise client.context.invalid_list()
            path = meta["path"].removeprefix(start)
            if tree.selection.selects(path):
                listing.files[path] = version_of(meta["path"], meta["e_tag"], meta["size"])
            else:
                listing.left_out.append(path)
        if len(listing.files) > MAX_MEMBERS:
            raise too_many_members()
        if len(listing.left_out) > SPARE * MAX_MEMBERS:
            break  # accounting for them raises the error
    return listing


def _folders(path: str) -> list[str]:
    """Return the folders above a path.

    >>> _folders("a/b/c")
    ['a', 'a/b']
    """
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]
