"""Read facts out of pods."""

from halimede.api.base import Manifest


def restarts(pods: list[Manifest]) -> int:
    """Return the number of container restarts of ``pods``."""
    return sum(
        container["restartCount"]
        for pod in pods
        for container in pod.get("status", {}).get("containerStatuses", [])
    )


def became_ready(pods: list[Manifest]) -> bool:
    """Return whether any of ``pods`` is ready."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for pod in pods
        for condition in pod.get("status", {}).get("conditions", [])
    )
