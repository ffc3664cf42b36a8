"""The operator as a process on a real API server."""

import json
import signal
from functools import partial
from typing import Any

import pytest

from halimede.api.base import Manifest
from localcluster.cluster import Cluster
from tests.operator.conftest import Start, model
from tests.operator.manifests import METRICS, TEMPLATE
from tests.operator.reading import (
    CHILDREN,
    NUMBER,
    OURS,
    answer,
    condition,
    has_passed,
    metrics,
    passes,
)
from tests.support.waiting import wait_until


def _apply(api_server: Cluster, manifest: Manifest) -> None:
    api_server.kubectl("apply", "-f", "-", input=json.dumps(manifest))


def _children(api_server: Cluster, namespace: str) -> dict[str, dict[str, Any]]:
    listed = api_server.kubectl("get", CHILDREN, OURS, "-n", namespace, "-o", "json")
    return {
        f"{item['kind']}/{item['metadata']['name']}": item for item in json.loads(listed)["items"]
    }


def _target(api_server: Cluster, namespace: str) -> str:
    path = "jsonpath={.status.target.revision}"
    return api_server.kubectl("get", "mdeploy", "m", "-n", namespace, "-o", path)


def _wait_for_children(api_server: Cluster, namespace: str, number: int = NUMBER) -> None:
    wait_until(lambda: sorted(_children(api_server, namespace)), lambda made: len(made) == number)


def _wait_for_reason(api_server: Cluster, namespace: str, reason: str, name: str = "m") -> None:
    wait_until(
        lambda: condition(api_server, namespace, "Ready", name), lambda said: said[1] == reason
    )


def _writes(api_server: Cluster, namespace: str) -> int:
    return sum(
        event["verb"] in {"create", "update", "patch", "delete"}
        for event in map(json.loads, api_server.audit_log.read_text().splitlines())
        if event["userAgent"].startswith("halimede/")
        and event.get("objectRef", {}).get("namespace") == namespace
    )


def test_a_model_gets_its_children_and_a_status(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """It creates what the model needs, and reports what it waits for."""
    start()
    _apply(api_server, model("m", namespace))
    _wait_for_children(api_server, namespace)
    kinds = sorted(child.partition("/")[0] for child in _children(api_server, namespace))
    assert kinds == [
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "Service",
    ]
    _wait_for_reason(api_server, namespace, "Deploying")


def test_drift_is_repaired(api_server: Cluster, namespace: str, start: Start) -> None:
    """A changed child is restored, also a label that we select by."""
    start()
    _apply(api_server, model("m", namespace))
    _wait_for_children(api_server, namespace)
    patch = json.dumps({"spec": {"selector": {"halimede.dev/revision": "wrong"}}})
    api_server.kubectl("patch", "service", "m", "-n", namespace, "--patch", patch)
    api_server.kubectl("label", "pdb", "m", "-n", namespace, "app.kubernetes.io/managed-by-")

    def repaired(children: dict[str, dict[str, Any]]) -> bool:
        selector = children["Service/m"]["spec"]["selector"]
        return selector["halimede.dev/revision"] != "wrong" and "PodDisruptionBudget/m" in children

    wait_until(lambda: _children(api_server, namespace), repaired)


def test_a_deleted_child_comes_back(api_server: Cluster, namespace: str, start: Start) -> None:
    """A deleted child is created again without a change of the spec."""
    start()
    _apply(api_server, model("m", namespace))
    _wait_for_children(api_server, namespace)
    before = _children(api_server, namespace)
    api_server.kubectl("delete", CHILDREN, OURS, "-n", namespace)

    def back(after: dict[str, dict[str, Any]]) -> bool:
        return after.keys() == before.keys() and all(
            after[name]["metadata"]["uid"] != before[name]["metadata"]["uid"] for name in after
        )

    wait_until(lambda: _children(api_server, namespace), back)


def test_a_restart_writes_nothing(api_server: Cluster, namespace: str, start: Start) -> None:
    """A new process writes nothing if nothing has drifted."""
    first = start()
    _apply(api_server, model("m", namespace))
    _wait_for_children(api_server, namespace)
    wait_until(
        lambda: condition(api_server, namespace, "Ready"), lambda said: "no nodes" in said[2]
    )
    first.popen.send_signal(signal.SIGTERM)
    first.popen.wait(30)
    before = _writes(api_server, namespace)
    assert before > 5
    second = start()
    known = 'halimede_model_ready{name="m"'
    wait_until(lambda: answer(second, "/metrics")[1], lambda page: known in page)
    assert _writes(api_server, namespace) == before


def test_what_is_applied_once_is_left_alone(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """Given values that the API server drops or rewrites, nothing is applied twice."""
    process = start(HALIMEDE_POD_TEMPLATE="Full")
    scaled = {"minReplicas": 2, "maxReplicas": 3, "metrics": METRICS}
    _apply(api_server, model("m", namespace, podTemplate=TEMPLATE, autoscaling=scaled))
    wait_until(lambda: _children(api_server, namespace), lambda found: len(found) == NUMBER)
    wait_until(lambda: "no nodes" in condition(api_server, namespace, "Ready")[2])
    before = _writes(api_server, namespace)
    for number in range(3):
        done = passes(process)
        for kind in ("deployments", "hpa"):
            api_server.kubectl(
                "label", kind, OURS, "-n", namespace, "--overwrite", f"edit={number}"
            )
        wait_until(partial(has_passed, process, done))
    assert _writes(api_server, namespace) == before


def test_sigterm_ends_it_soon_and_well(api_server: Cluster, namespace: str, start: Start) -> None:
    """It exits with 0 within seconds, also during a reconcile."""
    process = start()
    for number in range(20):
        _apply(api_server, model(f"m-{number}", namespace))
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(10) == 0
    assert "Traceback" not in process.log.read_text()


def test_a_killed_operator_is_continued_by_the_next(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """After kill -9 between the writes of children, the next process completes them."""
    first = start()
    manifests = [model(f"m-{number}", namespace) for number in range(10)]
    _apply(api_server, {"apiVersion": "v1", "kind": "List", "items": manifests})
    wait_until(lambda: sorted(_children(api_server, namespace)), lambda made: len(made) > 3)
    first.popen.kill()
    first.popen.wait()
    start()
    _wait_for_children(api_server, namespace, 10 * NUMBER)


@pytest.mark.transition("object-deleted")
def test_a_deleted_model_takes_its_children_along(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """The deletion is not delayed, and no child is created again."""
    process = start()
    _apply(api_server, model("m", namespace))
    _wait_for_children(api_server, namespace)
    api_server.kubectl("delete", "mdeploy", "m", "-n", namespace, "--timeout=180s")
    _wait_for_children(api_server, namespace, 0)
    known = "halimede_model_ready{"
    wait_until(lambda: answer(process, "/metrics")[1], lambda page: known not in page)


@pytest.mark.transition("apply-failed")
def test_a_failed_apply_is_reported_and_retried(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """The API server's message is in a condition and an Event until the spec is corrected."""
    start()
    wrong = {"spec": {"tolerations": [{"key": "a", "operator": "Wrong"}]}}
    _apply(api_server, model("m", namespace, podTemplate=wrong))
    _wait_for_reason(api_server, namespace, "ApplyFailed")
    assert "tolerations" in condition(api_server, namespace, "Ready")[2]
    shown = ("events", "-n", namespace, "--for=modeldeployment.halimede.dev/m")
    wait_until(lambda: api_server.kubectl(*shown), lambda events: "ApplyFailed" in events)
    _apply(api_server, model("m", namespace))
    _wait_for_reason(api_server, namespace, "Deploying")
    _wait_for_children(api_server, namespace)


def test_a_changed_source_makes_a_new_revision(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """A change of the user's ConfigMap, which lacks our label, makes a new revision."""
    start()
    source = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "source", "namespace": namespace},
        "data": {"model.py": "1"},
    }
    served = {"storageUri": "configMap://source", "config": {"backend": "python"}}
    _apply(api_server, model("m", namespace, model=served))
    _wait_for_reason(api_server, namespace, "InvalidSpec")
    _apply(api_server, source)
    _wait_for_children(api_server, namespace)
    first = _target(api_server, namespace)
    _apply(api_server, source | {"data": {"model.py": "2"}})
    wait_until(lambda: _target(api_server, namespace), lambda target: target != first)


def test_it_serves_probes_and_metrics(start: Start) -> None:
    """After the sync it is ready and healthy, and its metrics count."""
    process = start()
    assert answer(process, "/healthz") == (200, "ok")
    status, text = answer(process, "/readyz")
    assert (status, text.splitlines()[0]) == (200, "ok")
    assert "traffic: 0 waiting, the oldest for 0 s" in text
    assert "halimede_reconcile_seconds_count" in answer(process, "/metrics")[1]


def test_a_pass_writes_the_status_once_at_most(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """Given new and changed models, there are fewer writes of the status than passes."""
    process = start()
    for number in range(5):
        _apply(api_server, model(f"m-{number}", namespace))
    for replicas in (2, 3):
        _apply(api_server, model("m-0", namespace, replicas=replicas))
    _wait_for_reason(api_server, namespace, "Deploying", "m-4")
    written = metrics(process)['halimede_writes_total{kind="ModelDeployment",verb="status"}']
    assert 5 <= written <= passes(process)
