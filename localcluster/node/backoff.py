"""How long to wait before a container that ended is started again."""

from dataclasses import dataclass, replace

FIRST = 10.0
"""Seconds before the second restart; the first comes at once. The kubelet's figure."""
LONGEST = 300.0
"""The most seconds between an end and a restart. The kubelet's figure."""


@dataclass(frozen=True, slots=True)
class CrashBackOff:
    """The ends of a container so far, as far as they slow down its restart."""

    first: float = FIRST
    longest: float = LONGEST
    ends: int = 0
    last_end: float = 0.0

    def after_end(self, now: float) -> "CrashBackOff":
        """Count one more end; a container that kept running for long enough starts from new.

        Long enough is twice the longest delay, as with the kubelet.
        """
        forgotten = self.ends > 0 and now - self.last_end > 2 * self.longest
        return replace(self, ends=1 if forgotten else self.ends + 1, last_end=now)

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start: none, then `first`, then doubling."""
        doublings = min(self.ends - 2, 32)
        return 0.0 if doublings < 0 else min(self.first * 2.0**doublings, self.longest)
