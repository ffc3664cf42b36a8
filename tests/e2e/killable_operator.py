"""An operator that dies right after chosen writes, and is started again."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from halimede.api.status import State
from localcluster.chart import NAMESPACE
from localcluster.cluster import Cluster
from localcluster.diagnosis import kubectl_in
from tests.e2e.api_proxy import Write, proxy_api_server

DEPLOYMENT = "deployment/halimede"
LAST_DEATH_SECONDS = 120.0
"""Within so long of a rollout's end the pods that it has left behind are deleted."""


@dataclass(frozen=True, slots=True)
class KillPoint:
    """A write after which the operator is killed."""

    after: str
    hits: Callable[[Write], bool]
    holds: frozenset[str] = frozenset()
    """Resources whose writes wait meanwhile, for they are sent side by side with that one."""


def stored(state: State) -> KillPoint:
    """Die when that state is stored and nothing else of the pass is done."""

    def hits(write: Write) -> bool:
        rollout = write.body.get("status", {}).get("rollout") or {}
        return write.resource == "modeldeployments/status" and rollout.get("state") == state

    return KillPoint(f"the status {state}", hits)


def applied(resource: str, *, before: Sequence[str] = ()) -> KillPoint:
    """Die when an object was applied, before others of the same pass are."""
    return KillPoint(
        f"applying {resource}",
        lambda write: (write.method, write.resource) == ("PATCH", resource),
        frozenset(before),
    )


def deleted(resource: str) -> KillPoint:
    """Die when an object was deleted."""
    return KillPoint(
        f"deleting {resource}",
        lambda write: (write.method, write.resource) == ("DELETE", resource),
    )


def routed(*weights: int) -> KillPoint:
    """Die when the route was given these weights, the stable revision's first."""

    def hits(write: Write) -> bool:
        if write.resource != "httproutes" or write.method != "PATCH":
            return False
        backends = write.body["spec"]["rules"][0]["backendRefs"]
        return weights == tuple(one["weight"] for one in backends)

    return KillPoint(f"the weights {weights}", hits)


@dataclass(slots=True)
class KillableOperator:
    """The operator, run outside of the cluster, with the deaths that await it in this order."""

    environment: dict[str, str]
    log: Path
    deaths: list[KillPoint] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    """After what it died."""
    _process: subprocess.Popen[bytes] | None = None
    _over: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, write: Write) -> bool:
        """Hold what is sent side by side with a deadly write: it comes too late."""
        with self._turn:
            return not (self.deaths and write.resource in self.deaths[0].holds)

    def done(self, write: Write) -> bool:
        """Kill -9 after the deadly write, before the operator hears that it was carried out."""
        with self._turn:
            if not (self.deaths and self.deaths[0].hits(write)):
                return True
            self.died.append(self.deaths.pop(0).after)
            if self._process is not None:
                self._process.kill()
                self._process.wait()
            return False

    def dies_to_the_last(self) -> None:
        """Wait until every death has come; fail with those that have not."""
        deadline = time.monotonic() + LAST_DEATH_SECONDS
        while self.deaths:
            last_words = self.log.read_text()[-2000:]
            left = ", ".join(one.after for one in self.deaths)
            assert time.monotonic() < deadline, f"not dead after {left}: {last_words}"
            threading.Event().wait(0.1)

    def live(self) -> None:
        """Run, and start again after each death, until `end`."""
        while not self._over:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "halimede", "run"],
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                )
            self._process.wait()

    def end(self) -> None:
        """Kill it for good."""
        self._over = True
        if self._process is not None:
            self._process.kill()


@contextmanager
def start_killable_operator(cluster: Cluster, folder: Path) -> Iterator[KillableOperator]:
    """Run the operator with the rights and settings of the chart, in place of the chart's pod."""
    _scale(cluster, 0)
    operator = KillableOperator(_environment(cluster), folder / "halimede.log")
    with proxy_api_server(_server(cluster), operator) as url:
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(cluster, url)))
        operator.environment["KUBECONFIG"] = str(kubeconfig)
        living = threading.Thread(target=operator.live, name="operator")
        living.start()
        try:
            yield operator
        finally:
            operator.end()
            living.join()
    _scale(cluster, 1)


def _scale(cluster: Cluster, replicas: int) -> None:
    _at_home(cluster, "scale", DEPLOYMENT, f"--replicas={replicas}")
    if replicas:
        _at_home(cluster, "rollout", "status", DEPLOYMENT, "--timeout=60s")
    else:
        _at_home(cluster, "wait", "--for=delete", "pods", "--all", "--timeout=60s")


def _environment(cluster: Cluster) -> dict[str, str]:
    """Take the chart's settings, but for what is reached otherwise from outside."""
    found = json.loads(_at_home(cluster, "get", DEPLOYMENT, "--output", "json"))
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return {
        **os.environ,
        **{one["name"]: one.get("value", "") for one in container["env"]},
        "HALIMEDE_PROMETHEUS_URL": cluster.prometheus_url,
        "HALIMEDE_HTTP_PORT": "0",
    }


def _server(cluster: Cluster) -> str:
    found: str = _config(cluster)["clusters"][0]["cluster"]["server"]
    return found


def _kubeconfig(cluster: Cluster, server: str) -> dict[str, Any]:
    """Write how the operator's service account comes in by ``server``."""
    config = _config(cluster)
    config["clusters"][0]["cluster"] = {"server": server}
    token = _at_home(cluster, "create", "token", "halimede").strip()
    config["users"][0]["user"] = {"token": token}
    return config


def _config(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        cluster.kubectl("config", "view", "--raw", "--output", "json")
    )
    return found


def _at_home(cluster: Cluster, *arguments: str) -> str:
    return kubectl_in(cluster, NAMESPACE, *arguments)
