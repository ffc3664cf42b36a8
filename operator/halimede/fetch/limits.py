"""Limits for the size of a source."""

from dataclasses import dataclass

from halimede.adapters.errors import FetchError

CHUNK = 1 << 20


@dataclass(slots=True)
class Budget:
    """Bytes and files that are still allowed; an archive can declare less than it unpacks to."""

    bytes_left: int
    files_left: int = 10_000

    def spend(self, size: int) -> None:
        """Account for *size* more bytes.

        Raises:
            FetchError: Fewer bytes were left.
        """
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise FetchError(
                "the model is larger than --max-bytes: raise --max-bytes, or make the model"
                " smaller"
            )

    def add_file(self) -> None:
        """Account for one more file.

        Raises:
            FetchError: No file was left.
        """
        self.files_left -= 1
        if self.files_left < 0:
            raise FetchError(
                "the model has more than 10000 files: check that the source contains only one"
                " model"
            )
