"""Read facts out of statuses and pods for the scenes' claims."""

from demo.stage import Stage
from halimede.api.base import Manifest
from halimede.api.status import Evidence, FinishedRollout


def last_rollout(stage: Stage, revision: str) -> FinishedRollout:
    """Return how the rollout of ``revision`` ended, once the status tells.

    Raises:
        StuckError: It does not tell in time.
    """

    def of_revision(found: FinishedRollout | None) -> bool:
        return found is not None and found.revision == revision

    seen = stage.wait(
        f"the outcome of {revision}",
        lambda seen: of_revision(seen.status.last_rollout),
        within=20,
    )
    if seen.status.last_rollout is None:
        raise AssertionError("the wait above has seen it")
    return seen.status.last_rollout


def requests_judged(evidence: Evidence | None) -> dict[str, int]:
    """Count by source the new revision's requests that the judge has seen."""
    if evidence is None:
        return {}
    return {one.source: one.canary_requests for one in evidence.sources}


def errors_judged(evidence: Evidence | None) -> dict[str, int]:
    """Count by source the new revision's errors that the judge has seen."""
    if evidence is None:
        return {}
    return {one.source: one.canary_errors for one in evidence.sources}


def restarts(pods: list[Manifest]) -> int:
    """Count the container restarts of ``pods``."""
    return sum(
        container["restartCount"]
        for pod in pods
        for container in pod.get("status", {}).get("containerStatuses", [])
    )


def became_ready(pods: list[Manifest]) -> bool:
    """Tell whether any of ``pods`` is ready."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for pod in pods
        for condition in pod.get("status", {}).get("conditions", [])
    )
