"""The delay before a container that ended is restarted."""

from dataclasses import dataclass, replace

FIRST = 10.0
"""Seconds before the second restart; the first is immediate. The kubelet's value."""
LONGEST = 300.0
"""The most seconds between an end and a restart. The kubelet's value."""


@dataclass(frozen=True, slots=True)
class CrashBackOff:
    """The ends of a container so far, which delay its restart."""

    first: float = FIRST
    longest: float = LONGEST
    ends: int = 0
    last_end: float = 0.0

    def after_end(self, now: float) -> "CrashBackOff":
        """Count one more end; reset the count after a long run.

        A run is long if it took more than twice the longest delay, as in the kubelet.
        """
        is_reset = self.ends > 0 and now - self.last_end > 2 * self.longest
        return replace(self, ends=1 if is_reset else self.ends + 1, last_end=now)

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start: none, then `first`, then doubling."""
        doublings = min(self.ends - 2, 32)
        return 0.0 if doublings < 0 else min(self.first * 2.0**doublings, self.longest)
