"""The operator as a process beside objects that were made to end it."""

import json

import pytest

from localcluster.cluster import Cluster
from tests.operator.conftest import Process, Start, model
from tests.operator.hostile_objects import create_deep
from tests.support.waiting import wait_until


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
