"""An upgrade of the operator that renders other pods from the same spec."""

from dataclasses import replace
from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.api.status import Outcome
from halimede.render import env
from halimede.render import revision as rendering
from harness.fake_behaviour import Behaviour
from harness.fake_cluster import FakeCluster


def upgrade(cluster: FakeCluster) -> FakeCluster:
    """Start an operator that renders another image of Triton into every pod."""
    repository = f"{cluster.platform.triton_repository}-next"
    cluster.platform = replace(cluster.platform, triton_repository=repository)
    return cluster


def image(cluster: FakeCluster, revision: str) -> str:
    """Read the image of Triton in a revision's Deployment."""
    template: Manifest = cluster.objects["Deployment", f"digits-{revision}"]["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def fetcher(cluster: FakeCluster, revision: str | None) -> Manifest:
    """Return the init container in a revision's Deployment."""
    template: Manifest = cluster.objects["Deployment", f"digits-{revision}"]["spec"]["template"]
    container: Manifest = template["spec"]["initContainers"][0]
    return container


def test_an_upgrade_rolls_nothing_out(cluster: FakeCluster) -> None:
    """Given other pods for the same spec, the revision stays, and the status names the newer."""
    before, was = cluster.stable, dict(cluster.objects)
    upgrade(cluster).run(600)
    assert (cluster.rollout, cluster.stable, cluster.lost) == (None, before, 0.0)
    assert cluster.objects.keys() == was.keys()
    newer = cluster.parsed.newer_revision
    assert newer not in (None, before)


def with_variables(kind: str, **values: Any) -> Manifest:
    """Render a pod that gets its credentials as earlier operators gave them."""
    template = env.fragment(kind, **values)
    (fetch,) = template["spec"]["initContainers"]
    mounts = [one for one in fetch["volumeMounts"] if one["name"] != "source-credentials"]
    volumes = [one for one in template["spec"]["volumes"] if one["name"] != "source-credentials"]
    variables = {"prefix": "HALIMEDE_FETCH_", "secretRef": {"name": "models"}}
    (*args, _, _) = fetch["args"]
    before = fetch | {"args": args, "envFrom": [variables], "volumeMounts": mounts}
    spec = template["spec"] | {"initContainers": [before], "volumes": volumes}
    return template | {"spec": spec}


def test_pods_that_read_variables_keep_the_image_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given credentials as variables, an upgrade leaves these, and the image, to the revision.

    The next change of the spec mounts them as files, and has the image that reads files.
    """
    cluster = FakeCluster()
    cluster.spec["model"]["secretName"] = "models"
    with monkeypatch.context() as earlier:
        earlier.setattr(rendering, "fragment", with_variables)
        cluster.until(cluster.ready)
    old_image, before = cluster.platform.fetch_image, cluster.stable
    cluster.platform = replace(cluster.platform, fetch_image=f"{old_image}-next")
    cluster.run(600)
    kept = fetcher(cluster, before)
    assert (cluster.stable, cluster.rollout, kept["image"]) == (before, None, old_image)
    assert kept["envFrom"]
    assert cluster.parsed.newer_revision not in (None, before)
    cluster.model(2).run(10).until(cluster.ready)
    assert fetcher(cluster, cluster.stable)["image"] == f"{old_image}-next"
    assert "envFrom" not in fetcher(cluster, cluster.stable)


def test_the_next_change_takes_the_newer_pods(cluster: FakeCluster) -> None:
    """Given a new model after the upgrade, its pods are rendered as the new version does."""
    upgrade(cluster).run(60)
    cluster.model(2).until(lambda: cluster.rollout is not None).until(cluster.ready)
    assert image(cluster, cluster.stable).startswith(cluster.platform.triton_repository)
    assert cluster.parsed.newer_revision is None


def test_the_earlier_spec_is_the_way_back(cluster: FakeCluster) -> None:
    """Given the old spec again after the upgrade, the old revision comes back as it was."""
    before = cluster.stable
    upgrade(cluster).model(2).run(10).until(cluster.ready)
    cluster.model(1).run(10).until(cluster.ready)
    assert (cluster.stable, cluster.lost) == (before, 0.0)
    assert cluster.parsed.newer_revision not in (None, before)


def test_a_rollout_goes_on_through_an_upgrade(cluster: FakeCluster) -> None:
    """Given an upgrade in the middle of a rollout, it is not superseded."""
    cluster.model(2).until(lambda: cluster.rollout is not None and cluster.rollout.weight > 0)
    assert cluster.rollout is not None
    revision = cluster.rollout.revision
    upgrade(cluster).until(lambda: cluster.rollout is None)
    assert (cluster.stable, cluster.lost) == (revision, 0.0)


def test_an_aborted_revision_is_not_tried_again(cluster: FakeCluster) -> None:
    """Given a revision that was aborted, the upgrade does not make another one of its spec."""
    before = cluster.stable
    cluster.model(2, Behaviour(error_rate=0.5)).run(10)
    cluster.until(lambda: cluster.rollout is None).run(300)
    upgrade(cluster).run(600)
    last = cluster.parsed.last_rollout
    assert last is not None
    assert (last.outcome, cluster.rollout, cluster.stable) == (Outcome.ABORTED, None, before)
