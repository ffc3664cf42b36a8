"""Read facts out of pods."""

from itertools import pairwise

from halimede.api.base import Manifest


def restarts(pods: list[Manifest]) -> int:
    """Return the number of container restarts of ``pods``."""
    return sum(
        container["restartCount"]
        for pod in pods
        for container in pod.get("status", {}).get("containerStatuses", [])
    )


def verified_digests(pods: list[Manifest]) -> set[str]:
    """Return the digests that the init containers of ``pods`` compare the models with."""
    containers = (container for pod in pods for container in pod["spec"]["initContainers"])
    return {
        value
        for container in containers
        for name, value in pairwise(container["args"])
        if name == "--sha256"
    }


def became_ready(pods: list[Manifest]) -> bool:
    """Return whether any of ``pods`` is ready."""
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for pod in pods
        for condition in pod.get("status", {}).get("conditions", [])
    )
