"""Fetch a model as the container `fetch` does, in the process of the test."""

from pathlib import Path
from typing import Any

from halimede_fetch.command import publish
from halimede_fetch.limits import MAX_BYTES, TIMEOUT_SECONDS, Budget
from halimede_fetch.obtain import Wanted


def fetch(
    source: str,
    to: Path,
    *,
    config: Path | None = None,
    max_bytes: int = MAX_BYTES,
    timeout_seconds: float = TIMEOUT_SECONDS,
    **wanted: Any,
) -> str:
    """Publish the model at *source* as the folder *to*; return the digest of what was fetched.

    Args:
        source: The address, or the path of a file or folder.
        to: Where to publish.
        config: A `config.pbtxt` that replaces the source's own.
        max_bytes: Limits the size.
        timeout_seconds: Limits the time.
        wanted: Further fields of `Wanted`.
    """
    budget = Budget(max_bytes, timeout_seconds)
    return publish(Wanted(source, **wanted), to, config, budget).digest
