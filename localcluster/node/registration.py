"""The node's own objects: the Node, and the Lease that keeps it Ready."""

import asyncio
import logging
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from localcluster.node.api import UNREACHABLE, ApiError
from localcluster.node.downward_api import Json
from localcluster.node.pod_context import Node
from localcluster.node.status import timestamp

logger = logging.getLogger(__name__)

LEASE_SECONDS = 40
_RENEW_SECONDS = 10.0
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


def machine_capacity(pods: int = 110) -> dict[str, str]:
    """Return this machine's capacity: cpu, memory and pods."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": str(os.cpu_count() or 1), "memory": f"{memory // 1024}Ki", "pods": str(pods)}


async def register(node: Node, logs_port: int | None) -> None:
    """Write the Node; it is Ready from then on. Raise one of `UNREACHABLE`."""
    now = node.clock()
    body = {"apiVersion": "v1", "kind": "Node", "metadata": _metadata(node.name)}
    try:
        await node.api.create("/api/v1/nodes", body)
    except ApiError as error:
        if error.status != 409:
            raise
    await node.api.patch(f"/api/v1/nodes/{node.name}", body)
    await node.api.patch(
        f"/api/v1/nodes/{node.name}/status", {"status": _status(node, logs_port, now)}
    )


async def keep_lease(node: Node) -> None:
    """Renew the node's Lease, its heartbeat for controllers, until cancelled."""
    while True:
        try:
            await _renew(node)
        except UNREACHABLE as error:
            logger.warning("The lease was not renewed: %s", error or "timed out")
        await asyncio.sleep(_RENEW_SECONDS)


async def _renew(node: Node) -> None:
    now = datetime.fromtimestamp(node.clock(), UTC)
    spec = {
        "holderIdentity": node.name,
        "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    try:
        await node.api.patch(f"{_LEASES}/{node.name}", {"spec": spec})
    except ApiError as error:
        if error.status != 404:
            raise
        await node.api.create(_LEASES, {"metadata": {"name": node.name}, "spec": spec})


def _metadata(name: str) -> Json:
    return {
        "name": name,
        "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": _architecture(),
            "halimede.dev/node": "process",
        },
    }


def _status(node: Node, logs_port: int | None, now: float) -> Json:
    conditions = [
        _condition("Ready", "True", "KubeletReady", "the process node runs pods", now),
        *(
            _condition(kind, "False", "NotWatched", "the process node does not check this", now)
            for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")
        ),
    ]
    status: Json = {
        "capacity": node.allocatable,
        "allocatable": node.allocatable,
        "conditions": conditions,
        # No Hostname: the API server would resolve it by DNS before it requests logs.
        "addresses": [{"type": "InternalIP", "address": node.address}],
        "nodeInfo": _information(),
    }
    if logs_port is not None:
        status["daemonEndpoints"] = {"kubeletEndpoint": {"Port": logs_port}}
    return status


def _condition(kind: str, status: str, reason: str, message: str, now: float) -> Json:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": timestamp(now),
        "lastTransitionTime": timestamp(now),
    }


def _information() -> Json:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return {
        "machineID": "",
        "systemUUID": "",
        "bootID": boot,
        "kernelVersion": platform.release(),
        "osImage": "a process node",
        "containerRuntimeVersion": "process://1",
        "kubeletVersion": "v1.0.0-process-node",
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": _architecture(),
    }


def _architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
