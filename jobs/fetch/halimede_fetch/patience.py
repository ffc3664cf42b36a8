"""How slow a server may be, and how long its failures are waited for."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of a download; the limit of the whole fetch is in `limits.Budget`."""

    silence_seconds: float = 60.0
    """How long the server may send nothing."""
    window_seconds: float = 60.0
    """The time in which at least `window_bytes` must arrive."""
    window_bytes: int = 1 << 20
    """The minimum: about 17 KiB per second."""
    retry_seconds: float = 120.0
    """How long to wait between attempts in total, without progress; then the container ends, so
    that the status of the pod shows why, and the kubelet starts it again."""
    first_delay_seconds: float = 1.0
    """The time before the second attempt. It doubles with each attempt."""
    longest_delay_seconds: float = 30.0
    """The longest time between two attempts, unless the server asks for more."""
    progress_bytes: int = 1 << 20
    """How much longer the file must become for the waiting to start again."""


PATIENCE = Patience()
"""The default."""


@dataclass(slots=True)
class Waiting:
    """The time between the attempts of one download.

    It starts again, with no time waited and the first delay, when the file is `progress_bytes`
    longer than when it last started. A server that cuts every connection after 100 MB is tried
    again after each of them. If a server sends only some bytes in each attempt, the download fails
    once the patience is over. The length that counts never decreases: bytes that are fetched
    again, because the server does not continue a file, are no progress.
    """

    patience: Patience
    _waited: float = field(init=False, default=0.0)
    _delay: float = field(init=False)
    _length: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Start with the first delay."""
        self._delay = self.patience.first_delay_seconds

    def next_pause(self, length: int, retry_after: float | None) -> float:
        """Return the seconds until the next attempt; 0 or less: there is none.

        Args:
            length: How many bytes of the file are kept.
            retry_after: The seconds that the server asked to wait.
        """
        patience = self.patience
        if length >= self._length + patience.progress_bytes:
            self._length, self._waited, self._delay = length, 0.0, patience.first_delay_seconds
        pause = min(max(self._delay, retry_after or 0), patience.retry_seconds - self._waited)
        self._waited += pause
        self._delay = min(2 * self._delay, patience.longest_delay_seconds)
        return pause
