"""Download one file over HTTPS; failures that may pass are waited for."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from halimede_fetch import request
from halimede_fetch.address import file_name, redact
from halimede_fetch.credentials import Credentials
from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.limits import Budget
from halimede_fetch.names import check_file
from halimede_fetch.patience import Patience, Waiting
from halimede_fetch.request import ANY_KIND, Body, Kind
from halimede_fetch.target import Target, pause_after
from halimede_fetch.timed_socket import Pace

Result = TypeVar("Result")


def download(
    url: str,
    folder: Path,
    credentials: Credentials,
    budget: Budget,
    patience: Patience,
    *,
    verified: bool,
) -> tuple[Path, str]:
    """Download *url* into *folder*, under the last part of its path.

    Return the file and its SHA-256.

    Args:
        url: The address.
        folder: An existing folder.
        credentials: Sent to the host in *url*.
        budget: Limits the size, and the time of all attempts.
        patience: Limits the time of each attempt, and between attempts: see `patience.Waiting`.
        verified: Whether the caller compares the digest of the file with an expected one.

    Raises:
        FetchError: The server could not be reached, was not trusted, or returned an error.
    """
    name = file_name(url)
    check_file(name)
    client = Client(credentials, budget, patience)
    if not (received := client.download(url, folder / name, verified=verified)).size:
        raise FetchError(f"{redact(url)} is empty: check spec.model.storageUri")
    return folder / name, received.sha256


@dataclass(frozen=True, slots=True)
class Received:
    """What was written of a file."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Client:
    """Sends the requests of one fetch; failures that may pass are waited for."""

    credentials: Credentials
    """Sent to the host in an address."""
    budget: Budget
    """Limits the size, and the time of all attempts."""
    patience: Patience
    """Limits the time of each attempt, and between attempts: see `patience.Waiting`."""
    kind: Kind = ANY_KIND

    def download(self, url: str, path: Path, *, verified: bool) -> Received:
        """Write the content of *url* to the new file *path*.

        After a failure that may pass, only the rest is requested if the server sent the size and a
        strong ETag; otherwise the file is fetched again from its beginning.

        Args:
            url: The address.
            path: Its folder exists.
            verified: Whether the caller compares the digest of the file with an expected one.

        Raises:
            FetchError: The server could not be reached, was not trusted, or returned an error.
        """
        with path.open("xb") as file:
            target = Target(file, self.budget)
            self.retry(
                lambda pace: self._attempt(url, target, pace, verified=verified),
                lambda: target.size,
            )
        return Received(target.size, target.digest.hexdigest())

    def retry(self, attempt: Callable[[Pace], Result], kept: Callable[[], int]) -> Result:
        """Repeat *attempt* until it succeeds or the patience ends; *kept* returns kept bytes.

        Raises:
            FetchError: As *attempt* raised it last.
        """
        waiting = Waiting(self.patience)
        while True:
            try:
                return attempt(Pace(self.budget, self.patience))
            except TransientFetchError as error:
                pause = pause_after(error, waiting, self.budget, kept())
                time.sleep(pause)  # noqa: TID251  (no condition: the server needs the time)

    def _attempt(self, url: str, target: Target, pace: Pace, *, verified: bool) -> None:
        try:
            with request.send(
                url, self.credentials, pace, target.part(), verified=verified, kind=self.kind
            ) as body:
                _write(target, body)
        except TransientFetchError:
            if target.version is None:
                target.empty()
            raise


def _write(target: Target, body: Body) -> None:
    """Append the rest of the file, or replace what was written by the whole file."""
    if body.span.start == 0:
        target.empty()
    target.version = body.version
    for chunk in body.chunks():
        target.append(chunk)
