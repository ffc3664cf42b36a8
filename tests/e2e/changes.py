"""Every version of some objects, with the time at which it was seen."""

import threading
import time
from dataclasses import dataclass
from typing import Self

from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from demo.manifests import NAME
from halimede.api.base import Manifest
from halimede.render.names import REVISION_LABEL
from local.cluster import Cluster

HTTP_ROUTES = ("gateway.networking.k8s.io", "v1", "httproutes")
ENDPOINT_SLICES = ("discovery.k8s.io", "v1", "endpointslices")


@dataclass(frozen=True, slots=True)
class Change:
    """One version of an object."""

    at: float
    """When it was seen, UNIX seconds."""
    manifest: Manifest


class Changes:
    """Collect the versions of a namespace's objects in a thread of its own."""

    def __init__(self, cluster: Cluster, namespace: str, kind: tuple[str, str, str]) -> None:
        """Start following objects of a group, version and plural."""
        self.seen: list[Change] = []
        self._objects = client.CustomObjectsApi(
            config.new_client_from_config(config_file=str(cluster.kubeconfig))
        )
        self._query = (*kind[:2], namespace, kind[2])
        self._over = threading.Event()
        threading.Thread(target=self._follow, name=kind[2], daemon=True).start()

    def __enter__(self) -> Self:
        """Use it for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the thread end with the next thing it hears."""
        self._over.set()

    def since(self, moment: float) -> list[Change]:
        """List the version that stood at ``moment``, and every later one."""
        before = [one for one in self.seen if one.at < moment]
        return [*before[-1:], *(one for one in self.seen if one.at >= moment)]

    def _follow(self) -> None:
        while not self._over.is_set():
            try:
                self._listen()
            except (ApiException, HTTPError):
                self._over.wait(1.0)

    def _listen(self) -> None:
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
    """Read a route's weights by revision; all of its rules must say the same."""
    rules = [
        {one["name"].removeprefix(f"{NAME}-"): one["weight"] for one in rule["backendRefs"]}
        for rule in route["spec"]["rules"]
    ]
    assert rules == [rules[0]] * len(rules)
    return rules[0]


def ready_endpoints(endpoint_slice: Manifest, revision: str) -> int | None:
    """Count the ready addresses of a revision; None if the slice is another one's."""
    if endpoint_slice["metadata"]["labels"].get(REVISION_LABEL) != revision:
        return None
    return sum(one["conditions"]["ready"] for one in endpoint_slice.get("endpoints") or ())
