"""etcd and the Kubernetes control plane, as processes."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from localcluster import credentials
from localcluster.addresses import API_PORT, API_SERVER, CLUSTER_IP, SERVICE_NETWORK
from localcluster.credentials import Credentials
from localcluster.folders import SOURCE
from localcluster.processes import Command, answers
from localcluster.startup_context import StartupContext
from localcluster.waiting import Missing

ETCD = "http://127.0.0.1:2379"


def start(stage: StartupContext, made: Credentials, memory: Path, further: Sequence[str]) -> None:
    """Start etcd, then the API server with ``further`` arguments.

    ``memory`` is the folder for etcd's data. Raise ``StartError``.
    """
    stage.processes.start(_etcd(stage, memory))
    stage.processes.start(_api_server(stage, made, further))


def start_controllers(stage: StartupContext, made: Credentials, *, metrics: bool) -> None:
    """Start the controllers; return when a pod can be created in the namespace ``default``.

    Autoscalers act only with ``metrics``: without, each of them would fail in every period, and
    write about it. They act often, so that tests need not wait. Raise ``StartError``.
    """
    kubeconfig = made.write_kubeconfig(credentials.CONTROLLER_MANAGER)
    arguments: list[str | Path] = [
        stage.binaries / "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--root-ca-file={made.authority}",
        f"--service-account-private-key-file={made.key}",
        f"--cert-dir={stage.folder('controller-manager')}",
        "--bind-address=127.0.0.1",
        "--use-service-account-credentials",
        "--leader-elect=false",
        f"--controllers=*{'' if metrics else ',-horizontal-pod-autoscaler-controller'}",
        "--horizontal-pod-autoscaler-sync-period=5s",
        # For one machine; the defaults protect API servers of thousands of nodes.
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]
    ready = _succeeds(stage, "get", "serviceaccount", "default")
    stage.processes.start(Command("kube-controller-manager", arguments, ready))


def start_scheduler(stage: StartupContext, made: Credentials) -> None:
    """Start the scheduler. Raise ``StartError``."""
    kubeconfig = made.write_kubeconfig(credentials.SCHEDULER)
    arguments: list[str | Path] = [
        stage.binaries / "kube-scheduler",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--cert-dir={stage.folder('scheduler')}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]
    ready = answers("https://127.0.0.1:10259/readyz")
    stage.processes.start(Command("kube-scheduler", arguments, ready))


def _etcd(stage: StartupContext, memory: Path) -> Command:
    arguments: list[str | Path] = [
        stage.binaries / "etcd",
        f"--data-dir={memory / 'etcd'}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--log-level=warn",
        # The data is lost with the cluster anyway.
        "--unsafe-no-fsync",
    ]
    return Command("etcd", arguments, answers(f"{ETCD}/readyz"))


def _api_server(stage: StartupContext, made: Credentials, further: Sequence[str]) -> Command:
    arguments: list[str | Path] = [
        stage.binaries / "kube-apiserver",
        f"--etcd-servers={ETCD}",
        f"--advertise-address={CLUSTER_IP}",
        f"--secure-port={API_PORT}",
        f"--tls-cert-file={made.certificate}",
        f"--tls-private-key-file={made.key}",
        f"--token-auth-file={made.token_file}",
        "--authorization-mode=RBAC",
        "--allow-privileged",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={made.key}",
        f"--service-account-signing-key-file={made.key}",
        f"--audit-policy-file={SOURCE / 'audit.yaml'}",
        f"--audit-log-path={stage.directory / 'audit.log'}",
        # Enough for a measurement; older files are removed.
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=1",
        *further,
    ]
    return Command("kube-apiserver", arguments, answers(f"{API_SERVER}/readyz"))


def _succeeds(stage: StartupContext, *arguments: str) -> Missing:
    def probe() -> str:
        try:
            stage.kubectl(*arguments)
        except subprocess.CalledProcessError as error:
            return str(error.stderr).strip() or f"status {error.returncode}"
        return ""

    return probe
