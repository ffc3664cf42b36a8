"""Prometheus: scrapes the gateway and every pod that has a container port named ``metrics``."""

import json
from importlib import resources
from pathlib import Path
from string import Template

from localcluster.addresses import (
    CLUSTER_IP,
    ENVOY_STATISTICS_PORT,
    PROMETHEUS_PORT,
    PROMETHEUS_URL,
)
from localcluster.processes import Command, answers
from localcluster.startup_context import StartupContext


def start(stage: StartupContext) -> None:
    """Write the configuration, start Prometheus and return when it answers queries.

    Raise ``StartError``.
    """
    stage.processes.start(_prometheus(stage, stage.folder("prometheus")))


def _prometheus(stage: StartupContext, folder: Path) -> Command:
    configuration = folder / "prometheus.yaml"
    configuration.write_text(_configuration(stage.kubeconfig))
    arguments: list[str | Path] = [
        stage.binaries / "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=2h",
        f"--web.listen-address={CLUSTER_IP}:{PROMETHEUS_PORT}",
        # How soon a new pod is scraped; the default, 5 s, is longer than a step of a canary here.
        "--scrape.discovery-reload-interval=1s",
        "--log.level=warn",
    ]
    return Command("prometheus", arguments, answers(f"{PROMETHEUS_URL}/-/ready"))


def _configuration(kubeconfig: Path) -> str:
    template = Template(
        resources.files("localcluster.addons").joinpath("prometheus.yaml").read_text()
    )
    path = json.dumps(str(kubeconfig))  # a JSON string is also a YAML string
    return template.substitute(kubeconfig=path, envoy=f"127.0.0.1:{ENVOY_STATISTICS_PORT}")
