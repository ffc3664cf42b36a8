"""Creates objects in a namespace and waits for their states."""

import json
import subprocess
import uuid
from collections.abc import Callable
from typing import Any

from localcluster.cluster import Cluster
from localcluster.diagnosis import describe_namespace, kubectl_in
from localcluster.node.downward_api import Json
from tests.support.waiting import wait_until

IMAGE = "halimede:test"


class Pods:
    """A namespace of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        """Create the namespace."""
        self.cluster = cluster
        self.namespace = f"t-{uuid.uuid4().hex[:8]}"
        cluster.kubectl("create", "namespace", self.namespace)
        # Pods need it at admission.
        wait_until(lambda: self.exists("serviceaccount", "default"))

    def remove(self) -> None:
        """Delete the namespace with all its objects at once."""
        self.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
        self.cluster.kubectl("delete", "namespace", self.namespace, "--wait=false")

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the namespace."""
        return kubectl_in(self.cluster, self.namespace, *arguments)

    def exists(self, kind: str, name: str) -> bool:
        """Return whether the object exists."""
        return bool(self.kubectl("get", kind, name, "--ignore-not-found", "-o", "name"))

    def apply(self, kind: str, name: str, version: str = "v1", **fields: Any) -> None:
        """Apply an object."""
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}
        self.cluster.kubectl("-n", self.namespace, "apply", "-f", "-", input=json.dumps(body))

    def run(self, name: str, *command: str, spec: Json | None = None, **container: Any) -> None:
        """Apply a pod with one container, `main`; `spec` and `container` are merged into it."""
        main = {"name": "main", "image": IMAGE, "command": list(command), **container}
        self.apply("Pod", name, spec={"containers": [main], **(spec or {})})

    def get(self, name: str) -> Json:
        """Return a pod."""
        manifest: Json = json.loads(self.kubectl("get", "pod", name, "-o", "json"))
        return manifest

    def container(self, name: str) -> Json:
        """Return the status of a pod's only container, empty while there is none."""
        statuses = self.get(name)["status"].get("containerStatuses") or [{}]
        result: Json = statuses[0]
        return result

    def waits_for(self, name: str) -> tuple[str | None, str | None]:
        """Return the reason and message of a waiting container."""
        waiting = self.container(name).get("state", {}).get("waiting", {})
        return waiting.get("reason"), waiting.get("message")

    def is_ready(self, name: str) -> bool:
        """Return whether a pod is Ready."""
        conditions = self.get(name)["status"].get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def until_ready(self, *names: str) -> None:
        """Wait until pods are Ready."""
        for name in names:
            self.until(name, lambda _, name=name: self.is_ready(name))

    def until(self, name: str, holds: Callable[[Json], object]) -> Json:
        """Wait until a condition holds for a pod, and return the pod."""
        return wait_until(lambda: self.get(name), holds, explain=self.explain)

    def until_waiting(self, name: str, reason: str, message: str | None = None) -> None:
        """Wait until a pod's only container waits for a reason, and with a message if given."""

        def expected(said: tuple[str | None, str | None]) -> bool:
            return said[0] == reason and message in {None, said[1]}

        wait_until(lambda: self.waits_for(name), expected, explain=self.explain)

    def until_gone(self, name: str) -> None:
        """Wait until a pod does not exist."""
        wait_until(
            lambda: self.exists("pod", name), lambda exists: not exists, explain=self.explain
        )

    def explain(self) -> str:
        """Return a diagnosis of the namespace."""
        return describe_namespace(self.cluster, self.namespace)

    def output(self, name: str) -> str:
        """Wait until a pod has succeeded, and return its output."""
        self.until(name, lambda pod: pod["status"]["phase"] == "Succeeded")
        return self.kubectl("logs", name)

    def inside(self, *command: str) -> str:
        """Run a command inside the cluster, where pods' addresses work."""
        finished = subprocess.run(
            self.cluster.inside(*command), capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout
