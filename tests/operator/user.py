"""A user of one namespace, whose models need every right of the operator."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from typing import Any

from halimede.adapters.kinds import CHILDREN, WATCHED, Kind
from halimede.api.base import Manifest
from localcluster.cluster import Cluster
from tests.operator.conftest import model
from tests.operator.manifests import METRICS
from tests.support.waiting import wait_until

GATEWAY = {"type": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}}
INGRESS = {"type": "Ingress", "ingress": {"host": "m.example.com", "tlsSecretName": "m"}}
USERS_ROUTE = {"type": "Gateway", "gateway": {"routeRef": {"name": "shop"}}}
ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "shop"},
    "spec": {
        "parentRefs": [{"name": "public"}],
        "rules": [{"backendRefs": [{"name": "routed", "port": 8000}]}],
    },
}
SCALED = {"minReplicas": 1, "maxReplicas": 2, "metrics": METRICS}
_NO_ROUTER = {"provider": "None", "settleSeconds": 0}
_AT_ONCE = {"analysis": _NO_ROUTER, "scaleDownDelaySeconds": 0, "revisionHistoryLimit": 0}
_STEPS = {"steps": [{"weight": 50}]}
CANARY = {"strategy": "Canary", "canary": _STEPS, "abortScaleDownDelaySeconds": 0, **_AT_ONCE}
BLUE_GREEN = {"strategy": "BlueGreen", "blueGreen": {"bakeSeconds": 0}, **_AT_ONCE}
RECREATE = {"strategy": "Recreate", "recreate": {"bakeSeconds": 0}, **_AT_ONCE}
UNRESOLVED = {
    "model": {"storageUri": "pvc://models/m", "config": {"backend": "python"}},
    "podTemplate": {"spec": {"nodeSelector": {"example.com/none": "true"}}},
}
"""A model whose digest nothing determines, as no node has room for the Job's pod."""
CHANGED = {"image": "registry.example/triton:2"}
COPY = "copy"


class User:
    """Uses a namespace of a cluster in which pods become ready."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        """Use a namespace that exists."""
        self._cluster, self._namespace = cluster, namespace
        self._tokens = count(1)

    def expose_models(self) -> None:
        """Serve a model by each kind of route, one of them with an autoscaler."""
        self._apply(ROUTE)
        self._serve("gated", expose=GATEWAY, autoscaling=SCALED)
        self._serve("ingressed", expose=INGRESS)
        self._serve("routed", expose=USERS_ROUTE)
        wait_until(partial(self.backends, "shop"), lambda names: names != ["routed"])
        self._apply(model("unresolved", self._namespace, **UNRESOLVED))
        wait_until(partial(self._names, "jobs"))

    def roll_out(self) -> None:
        """Roll out a second revision by each strategy; abort one, and have the others pruned."""
        self._serve("tried", rollout=CANARY)
        self._change("tried", CANARY, "Starting", "Priming", "Shifting", "Analysing")
        self._command("tried", "abort")
        self._wait("tried", ".status.lastRollout.outcome", ["Aborted"])
        for name, rollout in {"previewed": BLUE_GREEN, "restarted": RECREATE}.items():
            self._serve(name, rollout=rollout)
            old = f"{name}-{self._stable(name)}"
            if rollout is BLUE_GREEN:
                self._change(name, rollout, "AwaitingPromotion")
                self._command(name, "promote")
            else:
                self._change(name, rollout)
            self._wait(name, ".status.lastRollout.outcome", ["Promoted"])
            wait_until(partial(self._names, "deployments,configmaps"), partial(_lacks, old))

    def copy_children(self) -> None:
        """Copy a child of each kind, and wait until the operator has deleted the copies."""
        for kind in CHILDREN:
            self._apply(_copied(self._ours(kind)[0]))
        kinds = ",".join(kind.plural for kind in CHILDREN)
        wait_until(partial(self._names, kinds), partial(_lacks, COPY))

    def withdraw(self) -> None:
        """Delete a model whose route must be restored before."""
        self._kubectl("delete", "mdeploy", "routed", "--timeout=180s")
        assert self.backends("shop") == ["routed"]

    def assert_everything_exists(self) -> None:
        """Assert that there is an object of each kind that the operator reads."""
        assert [kind.name for kind in WATCHED if not self._ours(kind)] == []

    def backends(self, route: str) -> list[str]:
        """Return the backends of an HTTPRoute."""
        live = json.loads(self._kubectl("get", "httproute", route, "--output=json"))
        return [ref["name"] for rule in live["spec"]["rules"] for ref in rule["backendRefs"]]

    def _serve(self, name: str, **spec: object) -> None:
        self._apply(model(name, self._namespace, **spec))
        self._wait(name, ".status.stable.revision")

    def _change(self, name: str, rollout: Manifest, *states: str) -> None:
        """Apply a second revision; wait until its rollout is in one of these states, if any."""
        self._apply(model(name, self._namespace, rollout=rollout, runtime=CHANGED))
        if states:
            self._wait(name, ".status.rollout.state", states)

    def _command(self, name: str, verb: str) -> None:
        by = self._kubectl("auth", "whoami", "--output=jsonpath={.status.userInfo.username}")
        command = f"halimede.dev/command={verb}@{next(self._tokens)}"
        self._kubectl("annotate", "mdeploy", name, command, f"halimede.dev/command-by={by}")

    def _stable(self, name: str) -> str:
        return self._field(name, ".status.stable.revision")

    def _wait(self, name: str, path: str, values: Iterable[str] | None = None) -> None:
        """Wait until a field of a ModelDeployment has one of these values; None: any."""
        accept: Callable[[str], object] = bool if values is None else list(values).__contains__
        shown = partial(self._kubectl, "get", "mdeploy", name, "--output=yaml")
        wait_until(partial(self._field, name, path), accept, explain=shown)

    def _field(self, name: str, path: str) -> str:
        return self._kubectl("get", "mdeploy", name, f"--output=jsonpath={{{path}}}")

    def _names(self, kinds: str) -> set[str]:
        listed = self._kubectl("get", kinds, "--output=name").split()
        return {name.partition("/")[2] for name in listed}

    def _ours(self, kind: Kind) -> list[Manifest]:
        selector = f"--selector={kind.selector}" if kind.selector else "--selector="
        listed = self._kubectl("get", kind.plural, selector, "--output=json")
        items: list[Manifest] = json.loads(listed)["items"]
        return items

    def _apply(self, manifest: Manifest) -> None:
        self._kubectl("apply", "--filename=-", text=json.dumps(manifest))

    def _kubectl(self, *arguments: str, text: str | None = None) -> str:
        return self._cluster.kubectl(*arguments, f"--namespace={self._namespace}", input=text)


def _lacks(name: str, names: set[str]) -> bool:
    return name not in names


def _copied(child: Manifest) -> Manifest:
    """Return a child of the same owner with another name, for a revision that does not exist."""
    metadata: dict[str, Any] = child["metadata"]
    labels = dict(metadata["labels"])
    if "halimede.dev/revision" in labels:
        labels["halimede.dev/revision"] = "00000000"
    owners = metadata["ownerReferences"]
    copy = {key: value for key, value in child.items() if key not in ("metadata", "status")}
    if "spec" in copy:
        given = ("clusterIP", "clusterIPs", *(("selector",) if child["kind"] == "Job" else ()))
        copy["spec"] = {key: copy["spec"][key] for key in copy["spec"] if key not in given}
    if child["kind"] == "Job":
        copy["spec"]["template"]["metadata"] = {}  # the API server has added labels
    return copy | {"metadata": {"name": COPY, "labels": labels, "ownerReferences": owners}}
