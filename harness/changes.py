"""Every version of some objects, with the time at which it was observed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from halimede.api.base import Manifest
from halimede.render.names import REVISION_LABEL
from harness.manifests import NAME

HTTP_ROUTES = ("gateway.networking.k8s.io", "v1", "httproutes")
ENDPOINT_SLICES = ("discovery.k8s.io", "v1", "endpointslices")
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Change:
    """One version of an object."""

    at: float
    """When it was observed, UNIX seconds."""
    manifest: Manifest


class Changes:
    """Collects the versions of a namespace's objects in a thread of its own."""

    def __init__(self, kubeconfig: Path, namespace: str, kind: tuple[str, str, str]) -> None:
        """Start watching the objects of a group, version and plural."""
        self.seen: list[Change] = []
        self._objects = client.CustomObjectsApi(
            config.new_client_from_config(config_file=str(kubeconfig))
        )
        self._query = (*kind[:2], namespace, kind[2])
        self._over = threading.Event()
        threading.Thread(target=self._follow, name=kind[2], daemon=True).start()

    def __enter__(self) -> Self:
        """Use it for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the thread end at its next event."""
        self._over.set()

    def first(self, holds: Callable[[Manifest], bool], since: float) -> Change:
        """Wait for the first version at or after ``since`` for which ``holds``; return it.

        Raises:
            TimeoutError: There was none within ``PATIENCE_SECONDS``.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for change in list(self.seen):
                if change.at >= since and holds(change.manifest):
                    return change
            self._over.wait(0.01)
        last = self.seen[-1].manifest if self.seen else "nothing"
        raise TimeoutError(
            f"it did not happen within {PATIENCE_SECONDS:.0f} s; last seen: {str(last)[:2000]}"
        )

    def since(self, moment: float) -> list[Change]:
        """Return the version that was current at ``moment``, and every later one."""
        before = [change for change in self.seen if change.at < moment]
        return [*before[-1:], *(change for change in self.seen if change.at >= moment)]

    def _follow(self) -> None:
        while not self._over.is_set():
            try:
                self._read_events()
            except (ApiException, HTTPError):
                self._over.wait(1.0)

    def _read_events(self) -> None:
        group, version, namespace, plural = self._query
        stream = watch.Watch().stream(
            self._objects.list_namespaced_custom_object,
            *(group, version, namespace, plural),
            timeout_seconds=60,
        )
        for event in stream:
            if self._over.is_set():
                return
            if event["type"] != "DELETED":
                self.seen.append(Change(time.time(), event["object"]))


def weights(route: Manifest) -> dict[str, int]:
    """Return a route's weights by revision; raise ValueError if its rules differ."""
    rules = [
        {
            backend["name"].removeprefix(f"{NAME}-"): backend["weight"]
            for backend in rule.get("backendRefs") or ()
        }
        for rule in route["spec"]["rules"]
    ]
    if rules != [rules[0]] * len(rules):
        raise ValueError(f"the rules of the route differ: {rules}")
    return rules[0]


def ready_endpoints(endpoint_slice: Manifest, revision: str) -> int | None:
    """Return the number of ready addresses; None if the slice is of another revision."""
    if endpoint_slice["metadata"]["labels"].get(REVISION_LABEL) != revision:
        return None
    return sum(
        bool(endpoint["conditions"]["ready"]) for endpoint in endpoint_slice.get("endpoints") or ()
    )
