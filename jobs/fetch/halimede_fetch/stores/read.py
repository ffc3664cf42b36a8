"""Read one object of a store, in several attempts if needed, and never two versions as one."""

from typing import TYPE_CHECKING

from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.response import Version
from halimede_fetch.stores.client import Client
from halimede_fetch.stores.errors import ChangedObjectError, MissingObjectError
from halimede_fetch.target import Target

if TYPE_CHECKING:  # they are in no module at run time
    from obstore import GetOptions, GetResult

_WEAK = "W/"
"""Prefix of ETags that can stay the same when bytes change."""


def version_of(key: str, etag: str | None, size: int) -> Version:
    """Return the version of an object.

    Its ETag has no quotes, which some stores leave out in lists, and is empty if it is not strong.
    """
    return Version("" if etag is None or etag.startswith(_WEAK) else etag.strip('"'), size, key)


async def exists(client: Client, key: str) -> bool:
    """Whether there is an object with this key.

    Raises:
        FetchError: The store could not be reached, or returned an error.
    """
    try:
        try:
            await client.retrying(lambda: client.head(key))
        except (MissingObjectError, TransientFetchError):
            raise
        except FetchError:  # a response to HEAD does not say what is wrong
            await client.retrying(lambda: client.get(key, {}))
    except MissingObjectError:
        return False
    return True


async def read(client: Client, key: str, target: Target) -> None:
    """Write an object to *target*.

    After a failure that may pass, only the rest is requested, on the condition that the object is
    the same; if it is not, it is read again from its beginning.

    Raises:
        FetchError: The object could not be read.
    """

    async def attempt() -> None:
        try:
            await _attempt(client, key, target, None)
        except ChangedObjectError as error:
            target.empty()
            raise TransientFetchError(str(error)) from None

    await client.retrying(attempt, lambda: target.size)


async def read_listed(client: Client, listed: Version, target: Target) -> None:
    """Write an object to *target* as it was when it was listed.

    Raises:
        TransientFetchError: It has changed, so the folder must be listed again.
        FetchError: The object could not be read.
    """
    try:
        await client.retrying(
            lambda: _attempt(client, listed.address, target, listed), lambda: target.size
        )
    except ChangedObjectError as error:
        raise TransientFetchError(str(error)) from None


async def _attempt(client: Client, key: str, target: Target, listed: Version | None) -> None:
    """Write what is missing of an object.

    Raises:
        ChangedObjectError: The object is not what was listed, or of which a part is written.
        FetchError: The object could not be read.
    """
    part = target.part()
    if part is not None and part.size == part.version.size:
        return
    expected = listed if part is None else part.version
    result = await client.get(key, _options(expected, target.size))
    found = _found(key, result)
    if result.range[0] != target.size or (expected is not None and not _same(found, expected)):
        raise client.context.changed()
    try:
        await _append(client, result, target)
    except TransientFetchError:
        if found.etag:
            target.version = found
        else:
            target.empty()  # the rest cannot be requested
        raise


async def _append(client: Client, result: "GetResult", target: Target) -> None:
    async for chunk in client.chunks(result):
        target.append(chunk)
    if missing := result.meta["size"] - target.size:
        raise TransientFetchError(
            f"{client.context.address}: the response ended {missing} bytes before the end of an"
            " object"
        )


def _options(expected: Version | None, start: int) -> "GetOptions":
    options: GetOptions = {}
    if expected is not None and expected.etag:
        options["if_match"] = f'"{expected.etag}"'
    if start:
        options["range"] = {"offset": start}
    return options


def _found(key: str, result: "GetResult") -> Version:
    return version_of(key, result.meta["e_tag"], result.meta["size"])


def _same(found: Version, expected: Version) -> bool:
    """Whether it is the same version, as far as the store shows it."""
    return found.size == expected.size and expected.etag in {"", found.etag}
