"""Simulated nodes, for measurements with more pods than one machine can run.

kwok manages only the nodes with the annotation ``kwok.x-k8s.io/node: fake``. Pods bound to them
become Ready at once and run nothing. The nodes have the label ``type: kwok``; beside a real node
they are tainted, so that a pod is scheduled to them only with:

    nodeSelector: {type: kwok}
    tolerations: [{key: kwok.x-k8s.io/node, operator: Exists}]
"""

import json
from pathlib import Path
from typing import Any

from localcluster.folders import SOURCE
from localcluster.processes import Command, answers
from localcluster.startup_context import StartupContext
from localcluster.waiting import wait_until

SELECTOR = "kwok.x-k8s.io/node=fake"
HEALTH = "127.0.0.1:10247"
PODS_PER_NODE = "250"


def start(stage: StartupContext, nodes: int, *, tainted: bool) -> None:
    """Register ``nodes`` nodes, start kwok and return when all of them are Ready.

    Raise ``StartError``, ``GaveUpError`` or ``subprocess.CalledProcessError``.
    """
    items = [_node(number, tainted=tainted) for number in range(nodes)]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    stage.kubectl("create", "--filename=-", manifest=manifest)
    stage.processes.start(_kwok(stage))
    wait_until(
        f"{nodes} Ready nodes of kwok",
        lambda: _unready(stage),
        60,
        explain=stage.processes.explain("kwok"),
    )


def _unready(stage: StartupContext) -> str:
    path = (
        "{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=='Ready')].status} {end}"
    )
    statuses = stage.kubectl("get", "nodes", "--selector=type=kwok", f"--output=jsonpath={path}")
    unready = [entry for entry in statuses.split() if not entry.endswith("=True")]
    return f"{len(unready)} are not Ready, such as {unready[0]}" if unready else ""


def _kwok(stage: StartupContext) -> Command:
    arguments: list[str | Path] = [
        stage.binaries / "kwok",
        f"--config={SOURCE / 'kwok.yaml'}",
        f"--kubeconfig={stage.kubeconfig}",
        f"--manage-nodes-with-annotation-selector={SELECTOR}",
        "--node-lease-duration-seconds=40",
        "--cidr=10.128.0.0/16",
        "--node-ip=10.127.0.1",
        f"--server-address={HEALTH}",
    ]
    return Command("kwok", arguments, answers(f"http://{HEALTH}/healthz"))


def _node(number: int, *, tainted: bool) -> dict[str, Any]:
    name = f"kwok-{number}"
    resources = {"cpu": "64", "memory": "512Gi", "pods": PODS_PER_NODE, "nvidia.com/gpu": "8"}
    key, value = SELECTOR.split("=")
    taints = [{"key": key, "value": value, "effect": "NoSchedule"}] if tainted else []
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {key: value, "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                "type": "kwok",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
            },
        },
        "spec": {"taints": taints},
        "status": {"allocatable": resources, "capacity": resources},
    }
