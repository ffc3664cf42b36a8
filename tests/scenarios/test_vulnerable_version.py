"""Versions of Triton with known vulnerabilities are rejected, or accepted and reported."""

from dataclasses import replace
from typing import Any

from halimede.api.base import Manifest
from harness.fake_cluster import FakeCluster

OLD = {"version": "24.10", "allowVulnerableVersion": True}


def runtime(cluster: FakeCluster, **fields: Any) -> FakeCluster:
    """Set the runtime of the spec."""

    def change(spec: Manifest) -> None:
        spec["runtime"] = fields

    return cluster.edit(change)


def test_a_vulnerable_version_is_invalid(cluster: FakeCluster) -> None:
    """Given a version before 25.08, the spec is invalid, and what serves keeps serving."""
    before, was = cluster.stable, dict(cluster.objects)
    runtime(cluster, version="25.07").run(300)
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    assert cluster.message("Ready") == (
        "spec.runtime.version: versions of Triton before 25.08 have known vulnerabilities; set"
        " version to 25.08 or newer, or accept them by setting allowVulnerableVersion to true."
    )
    assert (cluster.stable, cluster.lost, cluster.objects) == (before, 0.0, was)
    assert cluster.condition("Vulnerable") is None


def test_an_accepted_version_is_reported_once(cluster: FakeCluster) -> None:
    """Given the permission, it is rolled out, with a condition and a single Event."""
    before = cluster.stable
    runtime(cluster, **OLD).run(60).until(cluster.ready).run(600)
    cluster.edit(lambda spec: spec.update(replicas=3)).run(600)
    assert (cluster.stable != before, cluster.lost) == (True, 0.0)
    assert cluster.condition("Vulnerable") == ("True", "VulnerableVersion")
    assert "Triton 24.10 has known vulnerabilities" in cluster.message("Vulnerable")
    assert [event.type for event in cluster.events if event.reason == "VulnerableVersion"] == [
        "Warning"
    ]
    runtime(cluster, version="26.09").run(60).until(cluster.ready)
    assert cluster.condition("Vulnerable") is None
    runtime(cluster, **OLD | {"version": "25.01"}).run(60)
    assert cluster.reasons.count("VulnerableVersion") == 2


def test_the_permission_rolls_nothing_out(cluster: FakeCluster) -> None:
    """Given an upgrade that renders other pods, the permission alone changes no pod.

    So a model that an operator without the rule has rolled out can be kept as it is.
    """
    runtime(cluster, **OLD).run(60).until(cluster.ready).run(600)
    before, pods = cluster.stable, deployment(cluster)
    repository = f"{cluster.platform.triton_repository}-next"
    cluster.platform = replace(cluster.platform, triton_repository=repository)
    runtime(cluster, version="24.10").run(300)
    assert cluster.condition("Ready") == ("False", "InvalidSpec")
    runtime(cluster, **OLD).run(600)
    assert cluster.condition("Ready") == ("True", "Serving")
    assert (cluster.stable, cluster.rollout, deployment(cluster)) == (before, None, pods)
    assert cluster.parsed.newer_revision not in (None, before)


def deployment(cluster: FakeCluster) -> Manifest:
    """Return the pod template of the stable revision."""
    live = cluster.objects["Deployment", f"digits-{cluster.stable}"]
    template: Manifest = live["spec"]["template"]
    return template
