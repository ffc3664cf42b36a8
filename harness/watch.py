"""Watch the ModelDeployment's status and keep every change of it."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from halimede.api.conditions import ConditionType
from halimede.api.status import Evidence, Status
from halimede.api.v1alpha1 import GROUP, PLURAL, VERSION


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The status of the resource at one moment."""

    at: float
    """When it was observed, UNIX seconds."""
    generation: int
    status: Status

    @classmethod
    def of(cls, manifest: dict[str, Any], at: float) -> Self:
        """Parse an object as the API server sends it."""
        status = Status.model_validate(manifest.get("status", {}))
        return cls(at, manifest["metadata"]["generation"], status)

    @property
    def settled(self) -> bool:
        """Whether Halimede has observed the newest spec and no rollout is under way."""
        return self.current and self.status.rollout is None

    @property
    def at_rest(self) -> bool:
        """Whether the traffic has reached its desired place."""
        rollout = self.status.rollout
        return rollout is None or (rollout.weight in {0, 100} and bool(rollout.weight_applied_at))

    @property
    def current(self) -> bool:
        """Whether the status is that of the newest spec."""
        return self.status.observed_generation == self.generation

    @property
    def resolved(self) -> bool:
        """Whether it is known which files the spec means, and so which revision it asks for."""
        return self.status.model is None or self.status.model.digest is not None

    @property
    def stable(self) -> str:
        """The stable revision, or empty."""
        return self.status.stable.revision if self.status.stable else ""

    @property
    def target(self) -> str:
        """The revision that the spec asks for, or empty."""
        return self.status.target.revision if self.status.target else ""

    @property
    def weight(self) -> int:
        """The percentage of requests that the canary gets."""
        return self.status.rollout.weight if self.status.rollout else 0

    @property
    def evidence(self) -> Evidence | None:
        """The judge's evidence in the rollout under way."""
        return self.status.rollout.evidence if self.status.rollout else None

    def condition(self, kind: ConditionType) -> str:
        """Return the condition's status, or empty if it is absent."""
        return next((entry.status for entry in self.status.conditions if entry.type is kind), "")

    @property
    def ready(self) -> bool:
        """Whether the newest spec is fully live."""
        return self.current and self.condition(ConditionType.READY) == "True"


class Watch:
    """Collects snapshots in a thread of its own, from the API server's watch."""

    def __init__(self, kubeconfig: Path, namespace: str, name: str) -> None:
        """Start watching ``namespace/name``, which need not exist yet."""
        self.history: list[Snapshot] = []
        self._objects = client.CustomObjectsApi(
            config.new_client_from_config(config_file=str(kubeconfig))
        )
        self._query = {
            "group": GROUP,
            "version": VERSION,
            "plural": PLURAL,
            "namespace": namespace,
            "field_selector": f"metadata.name={name}",
        }
        self.listener: Callable[[Snapshot], None] | None = None
        """Called with each new snapshot, in the watch's own thread."""
        self._over = threading.Event()
        threading.Thread(target=self._follow, name="watch", daemon=True).start()

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot, or None before there is one."""
        return self.history[-1] if self.history else None

    def since(self, moment: float) -> list[Snapshot]:
        """Return the snapshots that were observed at ``moment`` or later."""
        return [snapshot for snapshot in self.history if snapshot.at >= moment]

    def stop(self) -> None:
        """Let the thread end at its next event."""
        self._over.set()

    def _follow(self) -> None:
        while not self._over.is_set():
            try:
                self._read_events()
            except (ApiException, HTTPError):
                self._over.wait(1.0)  # The server restarts, or its watch window closed: retry.

    def _read_events(self) -> None:
        stream = watch.Watch().stream(
            self._objects.list_namespaced_custom_object, timeout_seconds=60, **self._query
        )
        for event in stream:
            if self._over.is_set():
                return
            if event["type"] != "DELETED":
                self._store(Snapshot.of(event["object"], time.time()))

    def _store(self, snapshot: Snapshot) -> None:
        latest = self.latest
        if latest is None or (latest.generation, latest.status) != (
            snapshot.generation,
            snapshot.status,
        ):
            self.history.append(snapshot)
            if self.listener:
                self.listener(snapshot)


def weights_of(snapshots: Iterable[Snapshot], revision: str) -> list[int]:
    """Return the weights that ``revision`` had in a rollout, in order, each change once."""
    weights: list[int] = []
    for snapshot in snapshots:
        rollout = snapshot.status.rollout
        if rollout and rollout.revision == revision and weights[-1:] != [rollout.weight]:
            weights.append(rollout.weight)
    return weights
