"""When the results of a probe change its verdict."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class ProbeTimes:
    """The figures of a probe, all times in seconds; the defaults are those of the API."""

    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period: float | None = None
    """How long a container has to end when this probe has it killed; None: as long as the pod."""

    @classmethod
    def of(cls, probe: dict[str, Any]) -> "ProbeTimes":
        """Read the figures of a probe of the API."""
        return cls(
            initial_delay=probe.get("initialDelaySeconds", 0),
            period=probe.get("periodSeconds", 10),
            timeout=probe.get("timeoutSeconds", 1),
            success_threshold=probe.get("successThreshold", 1),
            failure_threshold=probe.get("failureThreshold", 3),
            termination_grace_period=probe.get("terminationGracePeriodSeconds"),
        )


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe's results so far amount to."""

    success_threshold: int
    failure_threshold: int
    healthy: bool | None = None
    """True or False once a threshold was reached; None before."""
    latest: bool = False
    in_a_row: int = 0
    """How many results in a row were like the latest."""

    def after(self, *, success: bool) -> "ProbeResult":
        """Take one more result into account; only enough equal ones in a row change `healthy`."""
        in_a_row = self.in_a_row + 1 if self.in_a_row and success == self.latest else 1
        threshold = self.success_threshold if success else self.failure_threshold
        healthy = success if in_a_row >= threshold else self.healthy
        return replace(self, healthy=healthy, latest=success, in_a_row=in_a_row)
