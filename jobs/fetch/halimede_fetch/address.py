"""Addresses of `https://` sources."""

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from halimede_fetch.errors import FetchError


def file_name(url: str) -> str:
    """Return the last part of the path of *url*, which is the file's name.

    Raises:
        FetchError: There is none, or *url* is not an `https://` address that can be requested.
    """
    redacted = redact(url)
    if urlsplit(url).scheme != "https":
        raise FetchError(f"{redacted} is not an https:// address: only https:// is supported")
    host, _, path = url.partition("://")[2].partition("/")
    if " " in url or not f"{host}{path}".isprintable() or not path.isascii():
        raise FetchError(
            f"{redacted} contains a space or another special character: percent-encode it in"
            " spec.model.storageUri"
        )
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if not name:
        raise FetchError(
            f"{redacted} does not end in a file name: add it to spec.model.storageUri"
        )
    return name


def redact(url: str) -> str:
    """Return *url* without the query, which may contain a signature, and without credentials.

    Raises:
        FetchError: It is not a valid URL.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        # The text of the error may contain credentials.
        raise FetchError(
            "the address in spec.model.storageUri has no valid host and port: correct it"
        ) from None
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
