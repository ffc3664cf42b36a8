"""Fetch a model from an object store: one object, or all objects below a prefix."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from halimede_fetch import names
from halimede_fetch.errors import FetchError
from halimede_fetch.limits import Budget
from halimede_fetch.patience import Patience
from halimede_fetch.response import Version
from halimede_fetch.stores.access import Access
from halimede_fetch.stores.address import parse_object_address
from halimede_fetch.stores.client import Client
from halimede_fetch.stores.listing import list_folder
from halimede_fetch.stores.read import exists, read, read_listed
from halimede_fetch.target import Target
from halimede_fetch.tree import Tree

PARALLEL = 16
"""How many objects are read at the same time."""


def fetch_objects(
    source: str, folder: Path, access: Access, tree: Tree, patience: Patience
) -> tuple[Path, str] | None:
    """Fetch the object at *source* into *folder*, or the objects below it to *tree*.

    Args:
        source: An `s3://` or `gs://` address. If there is an object with this key, it is the
            source. Otherwise the source is a folder: all objects whose keys begin with it and a
            slash.
        folder: An existing folder for one object.
        access: How the store is reached.
        tree: Where to write the objects of a folder. Its budget limits all.
        patience: Limits the time of each response, and between attempts.

    Returns:
        The file and its SHA-256 if the source is one object; None if it is a folder.

    Raises:
        FetchError: There is nothing, or the store could not be reached or returned an error.
    """
    address = parse_object_address(source)
    client = Client.open(address, access, tree.budget, patience)
    return asyncio.run(_fetch(client, folder, tree))


async def _fetch(client: Client, folder: Path, tree: Tree) -> tuple[Path, str] | None:
    address = client.context.address
    if not address.is_folder and await exists(client, address.key):
        return await _fetch_file(client, folder, tree.budget)
    await _fetch_folder(client, tree)
    return None


async def _fetch_file(client: Client, folder: Path, budget: Budget) -> tuple[Path, str]:
    address = client.context.address
    names.check_file(address.name)
    path = folder / address.name
    with path.open("xb") as file:
        target = Target(file, budget)
        await read(client, address.key, target)
    if not target.size:
        raise FetchError(f"{address} is empty: check spec.model.storageUri")
    return path, target.digest.hexdigest()


async def _fetch_folder(client: Client, tree: Tree) -> None:
    files = await list_folder(client, tree)
    tree.budget.require(sum(version.size for version in files.values()))
    entries = iter(sorted(files.items()))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(PARALLEL, len(files))):
                group.create_task(_save(client, tree, entries))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    tree.check_selected()
    if not any(tree.root.iterdir()):
        raise client.context.missing()


async def _save(client: Client, tree: Tree, entries: Iterator[tuple[str, Version]]) -> None:
    """Write one object after the other, until other tasks have taken the last."""
    for path, version in entries:
        if not version.size and not await exists(client, version.address):
            continue  # an object that marks an empty folder
        with tree.place(path).open("xb") as file:
            await read_listed(client, version, Target(file, tree.budget))
