"""The operator's own I/O, on a real API server: its client, and its process."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.kinds import BY_NAME
from halimede.api.base import Manifest
from halimede.api.v1alpha1 import API_VERSION, KIND
from halimede.render.names import MANAGER
from localcluster.cluster import Cluster
from localcluster.waiting import show_end
from tests.operator.ready_pods import MACHINE, NODE
from tests.support.operator_account import OperatorAccount
from tests.support.waiting import wait_until

_numbers = itertools.count(1)


def model(name: str, namespace: str, **spec: object) -> Manifest:
    """Return a small ModelDeployment that is exposed by its Service."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {
                "storageUri": "https://models.example.com/model.onnx",
                "sha256": "0" * 64,  # known, because no node runs the Job that determines it
                "config": {"backend": "onnxruntime"},
            },
            "expose": {"type": "Service"},
            "rollout": {"strategy": "BlueGreen", "analysis": {"provider": "None"}},
            **spec,
        },
    }


async def put(kube: KubeCluster, manifest: Manifest, manager: str = MANAGER) -> Manifest:
    """Create an object, or apply to the one that has its name."""
    kind, metadata = BY_NAME[manifest["kind"]], manifest["metadata"]
    live = await kube.get(kind, metadata["namespace"], metadata["name"])
    if live is None:
        return await kube.create(manifest, manager)
    bound = metadata | {"uid": live["metadata"]["uid"]}
    return await kube.apply(manifest | {"metadata": bound}, manager)


@dataclass
class Process:
    """A running `halimede run`."""

    popen: subprocess.Popen[str]
    log: Path

    @property
    def port(self) -> int:
        """The port of its probes."""
        match = re.search(r"metrics port=(\d+)", self.log.read_text())
        assert match
        return int(match[1])

    def said(self, text: str) -> bool:
        """Return whether it has logged *text*."""
        return text in self.log.read_text()


class Start(Protocol):
    """Starts an operator for the namespace of the test, with further settings."""

    def __call__(self, **settings: str) -> Process:
        """Return when it has read everything."""


@pytest.fixture
def namespace(api_server: Cluster) -> str:
    """Create a namespace for one test."""
    name = f"operator-{next(_numbers)}"
    api_server.kubectl("create", "namespace", name)
    return name


@pytest.fixture
def node(api_server: Cluster) -> Iterator[None]:
    """Create the node of `ready_pods`."""
    api_server.kubectl("create", "--filename=-", input=json.dumps(MACHINE))
    yield
    api_server.kubectl("delete", "node", NODE)


@pytest.fixture
async def kube(api_server: Cluster) -> AsyncIterator[KubeCluster]:
    """Connect the operator's own client."""
    async with connected(api_server.kubeconfig) as client:
        yield client


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[KubeCluster]:
    """Connect the operator's own client with these credentials."""
    configuration = Configuration()
    await config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    client = KubeCluster(configuration)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
def start(operator_account: OperatorAccount, namespace: str, tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts an operator for the namespace; all are killed afterwards.

    It has the rights and the policies of the chart, and none of its requests may be forbidden.
    """
    numbers, audit = itertools.count(), operator_account.audit()
    with ExitStack() as running:

        def begin(**settings: str) -> Process:
            log = tmp_path / f"halimede-{next(numbers)}.log"
            given = {
                "HALIMEDE_NAMESPACES": namespace,
                "HALIMEDE_METRICS_AUTHENTICATION": "false",
                **settings,
            }
            return running.enter_context(run_operator(operator_account, log, given))

        yield begin
    assert audit.forbidden_requests() == []


@contextmanager
def run_operator(
    account: OperatorAccount, log: Path, settings: Mapping[str, str]
) -> Iterator[Process]:
    """Run an operator; the block begins when it has read everything, and it is killed after it."""
    environment = {
        **os.environ,
        "KUBECONFIG": str(account.kubeconfig),
        **settings,
        "HALIMEDE_HTTP_PORT": "0",
        "HALIMEDE_LOG_FORMAT": "text",
    }
    command = [sys.executable, "-m", "halimede", "run"]
    with log.open("w") as out:
        popen = subprocess.Popen(command, env=environment, stdout=out, stderr=out, text=True)
    process = Process(popen, log)
    try:
        wait_until(
            lambda: process.said("Synced") or popen.poll() is not None, explain=log.read_text
        )
        assert popen.poll() is None, log.read_text()
        yield process
    finally:
        popen.kill()
        popen.wait()
        # Shown if the test fails.
        sys.stdout.write(f"{show_end(log)}\n")
