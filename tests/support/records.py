"""What others can do to the record of a revision in a fake cluster, and how to undo it."""

import copy
import json
from collections.abc import Callable
from typing import Any

from halimede.api.base import Manifest
from harness.fake_cluster import FakeCluster

Change = Callable[[Manifest], Any]
"""Changes a ConfigMap in place."""
PLANTED = "registry.example/planted:1"
"""An image that no spec asks for."""


def change_pod(change: Change) -> Change:
    """Return a change of the pod's spec in a record."""

    def write(config_map: Manifest) -> None:
        content = json.loads(config_map["data"]["revision.json"])
        change(content["podTemplate"]["spec"])
        config_map["data"]["revision.json"] = json.dumps(content)

    return write


def plant(pod: Manifest) -> None:
    """Run another command of another image as another service account."""
    pod.update(serviceAccountName="ci-deployer", automountServiceAccountToken=True)
    pod["containers"][0].update(image=PLANTED, command=["sh", "-c", "env"])


def replace_record(
    cluster: FakeCluster, revision: str | None, change: Change | None = None
) -> Manifest:
    """Delete a record and create another one of the same name, labels and owner.

    Returns:
        The record before.
    """
    name = f"digits-{revision}"
    before = copy.deepcopy(cluster.objects["ConfigMap", name])
    live = cluster.tamper("ConfigMap", name)
    live["metadata"]["uid"] += "-again"
    (change or change_pod(plant))(live)
    return before


def restore_record(cluster: FakeCluster, record: Manifest) -> None:
    """Delete a record and create it with the content of *record*."""
    name = record["metadata"]["name"]
    cluster.objects["ConfigMap", name] = copy.deepcopy(record)
    cluster.tamper("ConfigMap", name)["metadata"]["uid"] += "-restored"


def children(cluster: FakeCluster, revision: str | None) -> dict[tuple[str, str], Manifest]:
    """Copy the objects of a revision."""
    return {
        key: copy.deepcopy(one)
        for key, one in cluster.objects.items()
        if key[1] == f"digits-{revision}"
    }


def is_planted(cluster: FakeCluster) -> bool:
    """Return whether something planted is in an object besides ConfigMaps."""
    others = [one for (kind, _), one in cluster.objects.items() if kind != "ConfigMap"]
    return any(text in str(others) for text in (PLANTED, "ci-deployer"))


def make_old(cluster: FakeCluster) -> None:
    """Bring the status and the records into the form of operators that stored no digests."""
    del cluster.status["records"]
    for (kind, _), live in cluster.objects.items():
        if kind == "ConfigMap":
            content = json.loads(live["data"]["revision.json"])
            del content["digest"]
            content["specDigest"] = content["specDigest"][:16]
            text = json.dumps(content, sort_keys=True, separators=(",", ":"))
            live["data"]["revision.json"] = text
            cluster.tamper(kind, live["metadata"]["name"])
