"""The operator as a process beside objects that were made to end it."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from halimede.adapters.cluster import KubeCluster
from halimede.api.base import Manifest
from localcluster.cluster import Cluster
from tests.operator.conftest import Process, Start, model, put
from tests.support.waiting import wait_until

MEBIBYTE = 1024 * 1024
LIMIT = 512 * MEBIBYTE
"""The memory limit of the chart's default values."""
CONFIG_MAPS = 500
EDITS = 200


def deep_template(levels: int) -> str:
    """Return a podTemplate as JSON with this number of levels."""
    return '{"metadata": {"annotations": ' + '{"a": ' * levels + "1" + "}" * levels + "}}"


def create_deep(api_server: Cluster, name: str, namespace: str, levels: int) -> None:
    """Create a ModelDeployment with this number of levels; Python cannot write it."""
    text = json.dumps(model(name, namespace, podTemplate="DEEP"))
    api_server.kubectl("create", "-f", "-", input=text.replace('"DEEP"', deep_template(levels)))


def ready(api_server: Cluster, name: str, namespace: str) -> tuple[str, str]:
    """Return the reason and message of Ready; the object is not parsed, it may be too deep."""
    path = '{range .status.conditions[?(@.type=="Ready")]}{.reason}{"\\n"}{.message}{end}'
    shown = api_server.kubectl("get", "mdeploy", name, "-n", namespace, "-o", f"jsonpath={path}")
    reason, _, message = shown.partition("\n")
    return reason, message


def wait_for_reason(
    api_server: Cluster, name: str, namespace: str, reason: str, operator: Process
) -> str:
    """Wait for a reason of Ready; return the message."""
    _, message = wait_until(
        lambda: ready(api_server, name, namespace),
        lambda seen: seen[0] == reason,
        explain=operator.log.read_text,
    )
    return message


def peak_memory(operator: Process) -> int:
    """Return the highest resident memory of the operator so far, in bytes (`VmHWM`)."""
    status = Path(f"/proc/{operator.popen.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("levels", [90, 300, 1200, 9900])
def test_a_deep_object_is_its_own_problem(
    api_server: Cluster, namespace: str, start: Start, levels: int
) -> None:
    """Given a ModelDeployment of any depth, only it is invalid, also after a restart."""
    operator = start()
    create_deep(api_server, "deep", namespace, levels)
    message = wait_for_reason(api_server, "deep", namespace, "InvalidSpec", operator)
    assert "spec.podTemplate: has more than 40 levels" in message
    operator.popen.kill()
    operator.popen.wait()
    operator = start()
    api_server.kubectl("apply", "-f", "-", input=json.dumps(model("other", namespace)))
    wait_for_reason(api_server, "other", namespace, "Deploying", operator)
    api_server.kubectl("delete", "mdeploy", "deep", "-n", namespace)
    assert operator.popen.poll() is None


def test_a_large_template_is_invalid_until_it_is_small(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """Given a podTemplate over its limit, the condition has its size; a smaller one is served."""
    operator = start()
    large = {"metadata": {"annotations": {"note": "x" * 200_000}}}
    manifest = model("m", namespace, podTemplate=large)
    api_server.kubectl("create", "-f", "-", input=json.dumps(manifest))
    message = wait_for_reason(api_server, "m", namespace, "InvalidSpec", operator)
    assert "spec.podTemplate: has 200040 bytes as JSON, but at most 65536" in message
    api_server.kubectl("replace", "-f", "-", input=json.dumps(model("m", namespace)))
    wait_for_reason(api_server, "m", namespace, "Deploying", operator)


async def create_all(kube: KubeCluster, manifests: Iterable[Manifest]) -> None:
    """Create objects, some at a time."""
    slots = asyncio.Semaphore(8)

    async def create(manifest: Manifest) -> None:
        async with slots:
            await kube.create(manifest, "test")

    await asyncio.gather(*(create(manifest) for manifest in manifests))


def large_config_maps(namespace: str) -> Iterable[Manifest]:
    """Yield ConfigMaps of nearly 1 MB; half of them have our label."""
    for number in range(CONFIG_MAPS):
        labels = {"app.kubernetes.io/managed-by": "halimede"} if number % 2 else {}
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"large-{number}", "namespace": namespace, "labels": labels},
            "data": {"x": "x" * 1_000_000},
        }


async def test_memory_is_bounded_whatever_others_create(
    api_server: Cluster, kube: KubeCluster, namespace: str, start: Start
) -> None:
    """Given 500 MB of ConfigMaps, many edits and a deep object, 200 models are deployed."""
    await create_all(kube, large_config_maps(namespace))
    create_deep(api_server, "deep", namespace, 9000)
    operator = start()
    await create_all(kube, (model(f"m{number}", namespace) for number in range(200)))
    for number in range(EDITS):
        env = [{"name": f"E{entry}", "value": str(number)} for entry in range(1200)]
        template = {"spec": {"containers": [{"name": "triton", "env": env}]}}
        await put(kube, model("edited", namespace, podTemplate=template), "test")
    for name in ("m0", "m199", "edited"):
        wait_for_reason(api_server, name, namespace, "Deploying", operator)
    first = peak_memory(operator)
    operator.popen.kill()
    operator.popen.wait()
    operator = start()
    await kube.create(model("late", namespace), "test")
    wait_for_reason(api_server, "late", namespace, "Deploying", operator)
    assert max(first, peak_memory(operator)) < LIMIT
