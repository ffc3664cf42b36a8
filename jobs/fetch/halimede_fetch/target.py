"""The file that a download writes, and when a download that broke is attempted again."""

import hashlib
import sys
from dataclasses import dataclass, field
from typing import IO

from halimede_fetch.errors import TransientFetchError
from halimede_fetch.limits import Budget
from halimede_fetch.patience import Waiting
from halimede_fetch.response import Part, Version


@dataclass(slots=True)
class Target:
    """The file that is written, and of which version its bytes are."""

    file: IO[bytes]
    budget: Budget
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    """Computed here because it takes long to read a file again that does not fit into memory."""
    size: int = 0
    version: Version | None = None

    def part(self) -> Part | None:
        """Return the beginning of the file, if its rest can be requested."""
        return Part(self.version, self.size) if self.version and self.size else None

    def append(self, chunk: bytes) -> None:
        """Write the next bytes of the file.

        Raises:
            FetchError: The budget is exceeded.
        """
        self.budget.spend(len(chunk))
        self.file.write(chunk)
        self.digest.update(chunk)
        self.size += len(chunk)

    def empty(self) -> None:
        """Delete what was written."""
        if self.size:  # because ext4 flushes a truncated file to the disk when it is closed
            self.file.seek(0)
            self.file.truncate()
        self.digest = hashlib.sha256()
        self.budget.refund(self.size)
        self.size, self.version = 0, None


def pause_after(
    error: TransientFetchError, waiting: Waiting, budget: Budget, size: int = 0
) -> float:
    """Return the seconds until the next attempt, after writing to the log why there is one.

    Args:
        error: What ended the last attempt.
        waiting: The time between the attempts.
        budget: Limits the time of all attempts.
        size: How many bytes are kept.

    Raises:
        TransientFetchError: There is no further attempt; it is *error*, or the time is over.
    """
    pause = waiting.next_pause(size, error.retry_after)
    if pause <= 0 or pause >= budget.seconds_left():
        raise error
    start = f", from byte {size} on" if size else ""
    sys.stderr.write(f"{error}; next attempt in {pause:.0f} s{start}\n")
    return pause
