"""How slow a server may be, and how long its failures are waited for."""

from dataclasses import dataclass


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
    """How long to wait between attempts in total; then the container ends, so that the status of
    the pod shows why, and the kubelet starts it again."""
    first_delay_seconds: float = 1.0
    """The time before the second attempt. It doubles with each attempt."""
    longest_delay_seconds: float = 30.0
    """The longest time between two attempts, unless the server asks for more."""


PATIENCE = Patience()
"""The default."""
