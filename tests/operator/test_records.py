"""Records of revisions on a real API server, which stores, defaults and deletes them."""

import json
from functools import partial

from halimede.api.base import Manifest
from halimede.render.revision import digest_record
from localcluster.cluster import Cluster
from tests.operator.conftest import Start, model
from tests.support.waiting import wait_until

KEPT = ("name", "namespace", "labels", "annotations", "ownerReferences")
"""Metadata that a user who may write ConfigMaps can copy."""


def read(api_server: Cluster, namespace: str, what: str) -> Manifest:
    """Read an object."""
    live: Manifest = json.loads(api_server.kubectl("get", what, "-n", namespace, "-o", "json"))
    return live


def ready(api_server: Cluster, namespace: str) -> str:
    """Return the reason and the message of Ready, or nothing."""
    status = read(api_server, namespace, "mdeploy/m").get("status") or {}
    conditions = [one for one in status.get("conditions", ()) if one["type"] == "Ready"]
    return "".join(f"{one['reason']}: {one['message']}" for one in conditions)


def test_nothing_is_rendered_from_a_record_that_was_replaced(
    api_server: Cluster, namespace: str, start: Start
) -> None:
    """Given a copy with another service account, only the status changes until it is deleted."""
    first = start()
    api_server.kubectl("apply", "-f", "-", input=json.dumps(model("m", namespace)))
    said = partial(ready, api_server, namespace)
    waiting = wait_until(said, lambda text: "no nodes" in text)
    first.popen.kill()
    first.popen.wait()
    status = read(api_server, namespace, "mdeploy/m")["status"]
    name = f"m-{status['target']['revision']}"
    record, deployment = (
        read(api_server, namespace, f"{kind}/{name}") for kind in ("configmap", "deployment")
    )
    assert status["records"] == {status["target"]["revision"]: digest_record(record)}
    content = json.loads(record["data"]["revision.json"])
    content["podTemplate"]["spec"]["serviceAccountName"] = "ci-deployer"
    planted = record | {
        "metadata": {field: record["metadata"][field] for field in KEPT},
        "data": record["data"] | {"revision.json": json.dumps(content)},
    }
    api_server.kubectl("delete", "configmap", name, "-n", namespace)
    api_server.kubectl("create", "-f", "-", input=json.dumps(planted))

    start()
    wait_until(said, lambda text: text.startswith(f"InvalidRecord: ConfigMap/{name}: its content"))
    shown = ("events", "-n", namespace, "--for=modeldeployment.halimede.dev/m")
    wait_until(partial(api_server.kubectl, *shown), lambda events: "InvalidRecord" in events)
    assert read(api_server, namespace, f"configmap/{name}")["data"] == planted["data"]

    api_server.kubectl("delete", "configmap", name, "-n", namespace)
    wait_until(said, lambda text: text == waiting)
    assert read(api_server, namespace, f"configmap/{name}")["data"] == record["data"]
    after = read(api_server, namespace, f"deployment/{name}")
    assert (after["metadata"]["generation"], after["spec"]) == (1, deployment["spec"])
