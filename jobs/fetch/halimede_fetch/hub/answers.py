"""What the answers of a hub's API mean."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from halimede_fetch.errors import FetchError

COMMIT = _SHA1 = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NEXT = re.compile(r"<([^<>]*)>\s*;[^,<>]*\brel=\"?next\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of one commit, as the hub describes it."""

    path: str
    size: int
    sha256: str | None
    """Of a file in Git LFS; None: it is in Git itself."""
    blob: str | None
    """Git's name of the content; None: it is in Git LFS, or on a hub without Git."""


def invalid(host: str) -> FetchError:
    """Return the error of an answer that is not of a hub's API."""
    return FetchError(
        f"{host} did not answer as a hub does: set spec.model.supply.endpoint to the address of a"
        " mirror with the API of the Hugging Face hub, or correct the mirror"
    )


def parse(content: bytes, host: str) -> Any:
    """Parse an answer.

    Raises:
        FetchError: It is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise invalid(host) from None


def commit(answer: Any, host: str) -> str:
    """Return the commit of a revision.

    Raises:
        FetchError: The answer has none.
    """
    match answer:
        case {"sha": str(sha)} if COMMIT.fullmatch(sha):
            return sha
    raise invalid(host)


def files(answer: Any, host: str) -> Iterator[HubFile]:
    """Yield the files of a page of the list of files and folders.

    Raises:
        FetchError: It is no such list.
    """
    if not isinstance(answer, list):
        raise invalid(host)
    for entry in answer:
        match entry:
            case {"type": str(kind)} if kind != "file":  # a folder, as for huggingface_hub
                continue
            case {
                "type": "file",
                "path": str(path),
                "lfs": {"oid": str(sha256), "size": int(size)},
            } if _SHA256.fullmatch(sha256):
                yield HubFile(path, size, sha256, None)
            case {"type": "file", "path": str(path), "size": int(size)} if (
                entry.get("lfs") is None
            ):
                blob = entry.get("oid")
                is_of_git = isinstance(blob, str) and _SHA1.fullmatch(blob)
                yield HubFile(path, size, None, blob if is_of_git else None)
            case _:
                raise invalid(host)


def next_query(link: str) -> str | None:
    """Return the query of the next page; None: there is none.

    Only the query is used: a mirror may pass on the hub's own addresses.

    >>> next_query('<https://huggingface.co/api/models/o/r/tree/1?cursor=Zg%3D%3D>; rel="next"')
    'cursor=Zg%3D%3D'
    """
    found = _NEXT.search(link)
    return found[1].partition("?")[2] if found else None
