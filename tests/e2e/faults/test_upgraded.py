"""An upgrade with helm under a running canary: chart, CRD and operator are replaced."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from halimede.api.base import Manifest
from halimede.api.status import Outcome, State
from harness.watch import Snapshot
from localcluster import chart
from localcluster.cluster import Cluster
from tests.e2e.faults import release
from tests.e2e.user import NAME, User
from tests.support.previous_release import UNKNOWN_FIELDS, VERSION, make_chart

RATE = 80.0
"""Requests/s."""
STEPS = [
    {"weight": 20, "minSeconds": 4},
    {"weight": 40, "minSeconds": 4, "pause": {}},
    {"weight": 60, "minSeconds": 4},
]
"""The rollout cannot end before the upgrade: after the second step it waits for `promote`."""


@pytest.fixture
def upgradable(cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """Install the previous release and its CRD; leave the cluster with this release."""
    try:
        release.uninstall(cluster)
        release.remove_the_rest(cluster)
        chart.install(cluster, chart=make_chart(tmp_path))
        yield cluster
    finally:
        release.restore(cluster)


def test_a_canary_goes_on_through_an_upgrade(upgradable: Cluster, user: User) -> None:
    """Given the previous release and a canary under load, when it is upgraded, v2 is promoted.

    The rollout continues from its status. No pod of a model is restarted, although this release
    renders other pods, and no request is lost.
    """
    stable = user.serves("v1")
    user.starts_load(RATE)
    user.asks_for("v2", rollout__canary__steps=STEPS)
    begun = user.sees("the second step", lambda seen: _at(seen, 1, State.ANALYSING))
    before = _model_pods(user)
    assert _known_fields(user).isdisjoint(UNKNOWN_FIELDS)
    assert _image(upgradable).endswith(f":{VERSION}")

    release.upgrade(upgradable)
    upgraded_at = time.time()
    paused = user.sees(
        "a poll of this release in the pause",
        lambda seen: _at(seen, 1, State.STEP_PAUSED) and _polled_at(seen) > upgraded_at,
    )
    assert not _image(upgradable).endswith(f":{VERSION}")
    assert _known_fields(user) == set(UNKNOWN_FIELDS) - {"spec.serviceAccountName"}
    assert _course(paused) == _course(begun)
    assert paused.status.newer_revision not in {None, stable, paused.target}
    assert _model_pods(user) == before

    user.commands("promote")
    over = user.sees("v2 stable", lambda seen: seen.ready and seen.settled)
    user.load.stop()
    assert user.errors() == []
    assert {one.version for one in user.requests()} == {"v1", "v2"}
    assert user.outcomes() == [Outcome.PROMOTED]
    assert over.stable == paused.target
    assert set(over.status.records) == {stable, over.stable} == _recorded_revisions(user)


def _at(seen: Snapshot, step: int, state: State) -> bool:
    rollout = seen.status.rollout
    return rollout is not None and (rollout.step, rollout.state) == (step, state)


def _polled_at(seen: Snapshot) -> float:
    assert seen.status.rollout is not None
    return seen.status.rollout.polled_at or 0.0


def _course(seen: Snapshot) -> tuple[object, ...]:
    """Return what stays the same while a rollout goes on in its step."""
    rollout, evidence = seen.status.rollout, seen.evidence
    assert rollout is not None
    assert evidence is not None
    begun_at = {one.source: one.begun_at for one in evidence.sources}
    return rollout.id, rollout.base, rollout.revision, rollout.step_started_at, begun_at


def _image(cluster: Cluster) -> str:
    """Return the image in the operator's Deployment."""
    path = "jsonpath={.spec.template.spec.containers[0].image}"
    return release.in_namespace(cluster, "get", "deployment", "halimede", f"--output={path}")


def _known_fields(user: User) -> set[str]:
    """Return those of the new fields that the stored ModelDeployment has."""
    return {path for path in UNKNOWN_FIELDS if _has(_get(user, "mdeploy", NAME), path)}


def _has(manifest: Manifest, path: str) -> bool:
    here = manifest
    for part in path.split("."):
        if part not in here:
            return False
        here = here[part]
    return True


def _model_pods(user: User) -> dict[str, list[str]]:
    """Return the containers of the models' pods, by the pod's uid; a restart changes them."""
    return {
        pod["metadata"]["uid"]: [one["containerID"] for one in pod["status"]["containerStatuses"]]
        for pod in _get(user, "pods")["items"]
    }


def _recorded_revisions(user: User) -> set[str]:
    """Return the revisions that have a record."""
    selected = _get(user, "configmaps", "--selector=halimede.dev/revision")["items"]
    return {one["metadata"]["labels"]["halimede.dev/revision"] for one in selected}


def _get(user: User, *what: str) -> Manifest:
    manifest: Manifest = json.loads(user.kubectl("get", *what, "--output=json"))
    return manifest
