"""Download one file over HTTPS; failures that may pass are waited for."""

import sys
import time
from pathlib import Path

from halimede.adapters.errors import FetchError, TransientFetchError
from halimede.fetch import request
from halimede.fetch.address import file_name, redact
from halimede.fetch.credentials import Credentials
from halimede.fetch.limits import Budget
from halimede.fetch.names import check_file
from halimede.fetch.patience import Patience
from halimede.fetch.timed_socket import Pace


def download(
    url: str,
    folder: Path,
    credentials: Credentials,
    budget: Budget,
    patience: Patience,
    *,
    verified: bool,
) -> Path:
    """Download *url* into *folder*, under the last part of its path; return the file.

    Args:
        url: The address.
        folder: An existing folder.
        credentials: Sent to the host in *url*.
        budget: Limits the size, and the time of all attempts.
        patience: Limits the time of each attempt.
        verified: Whether the caller compares the digest of the file with an expected one.

    Raises:
        FetchError: The server could not be reached, was not trusted, or returned an error.
    """
    name = file_name(url)
    check_file(name)
    target = folder / name
    waited, delay = 0.0, patience.first_delay_seconds
    while True:
        try:
            _download_once(url, target, credentials, Pace(budget, patience), verified=verified)
        except TransientFetchError as error:
            pause = min(max(delay, error.retry_after or 0), patience.retry_seconds - waited)
            if pause <= 0 or pause >= budget.seconds_left():
                raise
            sys.stderr.write(f"{error}; next attempt in {pause:.0f} s\n")
            time.sleep(pause)  # noqa: TID251  (no condition: the server needs the time)
            waited += pause
            delay = min(2 * delay, patience.longest_delay_seconds)
        else:
            return target


def _download_once(
    url: str, target: Path, credentials: Credentials, pace: Pace, *, verified: bool
) -> None:
    written = 0
    try:
        with target.open("xb") as file:
            for chunk in request.read(url, credentials, pace, verified=verified):
                pace.budget.spend(len(chunk))
                file.write(chunk)
                written += len(chunk)
    except TransientFetchError:
        target.unlink()
        pace.budget.refund(written)
        raise
    if not written:
        raise FetchError(f"{redact(url)} is empty: check spec.model.storageUri")
