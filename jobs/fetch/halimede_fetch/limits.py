"""Limits of a fetch: bytes, members and time."""

import time
from dataclasses import dataclass, field

from halimede_fetch.errors import FetchError, TransientFetchError

CHUNK = 1 << 16
"""How many bytes are read at once."""
BLOCK = 4096
"""What each file and folder costs besides its content: an upper bound of what a file system rounds
up, so that a model within `spec.model.maxSize` stays within the volume's `sizeLimit`, which the
kubelet compares with the blocks in use."""
MAX_MEMBERS = 10_000
"""The largest number of files and folders of one model."""
SPARE = 10
"""What is left out of a source may be this many times as much as a model may have. There is a
limit because it takes time to read past it."""
MAX_BYTES = 10 << 30
"""The default of `spec.model.maxSize`."""
TIMEOUT_SECONDS = 3600
"""The default of `spec.model.fetchTimeoutSeconds`."""


def too_many_members() -> FetchError:
    """Return the error of a model with more than `MAX_MEMBERS` files and folders."""
    return FetchError(
        f"the model has more than {MAX_MEMBERS} files and folders: check that the source"
        " contains only one model"
    )


@dataclass(slots=True)
class Budget:
    """What a fetch may still use; an archive can declare less than it unpacks to."""

    max_bytes: int = MAX_BYTES
    timeout_seconds: float = TIMEOUT_SECONDS
    _bytes_left: int = field(init=False)
    _members_left: int = field(init=False, default=MAX_MEMBERS)
    _skipped_bytes: int = field(init=False, default=0)
    _skipped_members: int = field(init=False, default=0)
    _ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._bytes_left = self.max_bytes
        self._ends_at = time.monotonic() + self.timeout_seconds

    def spend(self, size: int) -> None:
        """Account for *size* more bytes.

        Raises:
            FetchError: Fewer bytes were left, or the time is over.
        """
        self.seconds_left()
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise FetchError(
                f"the model is larger than spec.model.maxSize ({self.max_bytes} bytes; a download"
                " and what is unpacked from it count together): raise the field, or make the"
                " model smaller"
            )

    def require(self, size: int) -> None:
        """Check that *size* more bytes can be spent.

        Raises:
            FetchError: Fewer bytes are left, or the time is over.
        """
        self.spend(size)
        self.refund(size)

    def refund(self, size: int) -> None:
        """Account for the deletion of a file of *size* bytes."""
        self._bytes_left += size

    def add_member(self) -> None:
        """Account for one more file or folder, without its content.

        Raises:
            FetchError: None was left, or the time is over.
        """
        self.spend(BLOCK)
        self._members_left -= 1
        if self._members_left < 0:
            raise too_many_members()

    def skip_member(self) -> None:
        """Account for a file or folder of the source that is left out.

        Raises:
            FetchError: Too many were left out, or the time is over.
        """
        self.seconds_left()
        self._skipped_members += 1
        if self._skipped_members > SPARE * MAX_MEMBERS:
            raise FetchError(
                f"the source contains more than {SPARE * MAX_MEMBERS} files and folders that"
                " spec.model.supply leaves out: let spec.model.storageUri lead to fewer of them"
            )

    def skip_bytes(self, size: int) -> None:
        """Account for *size* bytes that are read, but left out.

        Raises:
            FetchError: Too many were left out, or the time is over.
        """
        self.seconds_left()
        self._skipped_bytes += size
        if self._skipped_bytes > SPARE * self.max_bytes:
            raise FetchError(
                "the files that spec.model.supply leaves out of the archive are larger than"
                f" {SPARE * self.max_bytes} bytes, {SPARE} times spec.model.maxSize: create the"
                " archive without them, or raise the field"
            )

    def seconds_left(self) -> float:
        """Return the time that is left.

        Raises:
            FetchError: There is none.
        """
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TransientFetchError(
                f"the model was not fetched within spec.model.fetchTimeoutSeconds"
                f" ({self.timeout_seconds:g} s): raise the field, or use a faster source"
            )
        return left
