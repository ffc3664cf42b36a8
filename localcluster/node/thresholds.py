"""How the results of a probe change the health of its container."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class ProbeTimes:
    """The settings of a probe, all times in seconds; the defaults are those of the API."""

    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period: float | None = None
    """The grace period of a container that this probe terminates; None: the pod's."""

    @classmethod
    def of(cls, probe: dict[str, Any]) -> "ProbeTimes":
        """Parse a probe of the API."""
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
    """The health of a container by a probe's results so far."""

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
