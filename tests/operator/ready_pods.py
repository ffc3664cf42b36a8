"""Ready pods on a control plane without nodes, as a kubelet would report them."""

import json

from halimede.render import names
from localcluster.cluster import Cluster

NODE = "ready-pods"
"""The node of the pods: pods without one are no endpoints."""
MACHINE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}


def create_ready_pod(
    api_server: Cluster, namespace: str, model: str, revision: str, address: str, number: int = 1
) -> None:
    """Create a ready pod of a revision of a model, with an IPv4 address of its own."""
    name = f"{model}-{revision}-{number}"
    ports = [
        {"name": port, "containerPort": 8000 + offset}
        for offset, port in enumerate(("http", "grpc", "metrics"))
    ]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": names.labels(model, revision)},
        "spec": {
            "nodeName": NODE,
            "containers": [{"name": "triton", "image": "triton", "ports": ports}],
        },
    }
    status = {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    here = ("--namespace", namespace)
    api_server.kubectl(*here, "apply", "--filename=-", input=json.dumps(pod))
    patch = f"--patch={json.dumps({'status': status})}"
    api_server.kubectl(*here, "patch", "pod", name, "--subresource=status", patch)
