"""With `resolve: OnChange`, other files at the model's address are rolled out."""

import copy

import pytest

from halimede.api.base import Manifest
from halimede.api.status import State
from harness.fake_behaviour import Behaviour, failing_fetcher
from harness.fake_cluster import FakeCluster
from harness.fake_spec import SPEC

URI = SPEC["model"]["storageUri"]
INTERVAL = 1800
OTHER = Behaviour(content="other files")
GONE = Behaviour(resolver=failing_fetcher(1, "the server responded with 404"))


def on_change_spec() -> Manifest:
    """Return a spec whose address is read again every half an hour."""
    spec = copy.deepcopy(SPEC)
    del spec["model"]["sha256"]
    spec["model"]["supply"] = {"resolve": "OnChange", "resolveIntervalSeconds": INTERVAL}
    return spec


def digest(cluster: FakeCluster) -> str | None:
    """Return the digest in the status."""
    return cluster.parsed.model.digest if cluster.parsed.model else None


@pytest.fixture
def cluster() -> FakeCluster:
    """Make a cluster in which a first model serves."""
    served = FakeCluster(spec=on_change_spec())
    served.until(served.ready)
    served.run(120)
    served.lost = 0.0
    return served


def test_other_files_are_rolled_out_after_the_interval(cluster: FakeCluster) -> None:
    """Given other files, they are noticed with the next read, and take the steps of the spec."""
    stable = cluster.stable
    cluster.behaviours[URI] = OTHER
    cluster.run(INTERVAL - 300)
    assert (cluster.rollout, cluster.ready()) == (None, True)
    cluster.until(lambda: cluster.state is State.ANALYSING)
    cluster.until(cluster.ready)
    assert (cluster.stable != stable, cluster.lost) == (True, 0.0)


def test_same_files_change_nothing(cluster: FakeCluster) -> None:
    """Given the same files for a day, the model stays Ready, and only Jobs come and go."""
    stable, known, writes = cluster.stable, digest(cluster), len(cluster.writes)
    for _ in range(48):
        cluster.run(INTERVAL)
        assert cluster.ready()
    written = {what.split("/")[0] for what, _ in cluster.writes[writes:]}
    assert (cluster.stable, digest(cluster), written) == (
        stable,
        known,
        {"apply Job", "delete Job"},
    )
    assert not [key for key in cluster.objects if key[0] == "Job"]


def test_failed_reads_change_nothing_but_are_told(cluster: FakeCluster) -> None:
    """Given files that cannot be read for hours, the model serves, and one Event says why."""
    known = digest(cluster)
    cluster.behaviours[URI] = GONE
    cluster.run(5 * INTERVAL)
    assert (cluster.ready(), digest(cluster)) == (True, known)
    assert cluster.reasons.count("CheckFailed") == 1
    model = cluster.parsed.model
    assert model is not None
    assert "404" in (model.failure or "")
    cluster.behaviours[URI] = OTHER
    cluster.until(lambda: digest(cluster) != known)
    cluster.until(cluster.ready)
    assert cluster.parsed.model is not None
    assert cluster.parsed.model.failure is None


def test_a_job_runs_only_while_files_are_read(cluster: FakeCluster) -> None:
    """Given files that never change, there is a Job for seconds of each interval."""
    seen = 0
    for _ in range(INTERVAL // 10):
        cluster.run(10)
        seen += any(kind == "Job" for kind, _ in cluster.objects)
    assert 1 <= seen <= 4


def test_bad_files_are_aborted_and_not_tried_again(cluster: FakeCluster) -> None:
    """Given other files that fail, they are aborted once, until they change."""
    stable = cluster.stable
    cluster.behaviours[URI] = Behaviour(content="bad files", error_rate=0.5)
    cluster.until(lambda: cluster.condition("Ready") == ("False", "CanaryFailed"), 2 * INTERVAL)
    cluster.run(4 * INTERVAL)
    assert (cluster.stable, cluster.reasons.count("RolloutStarted")) == (stable, 1)
    cluster.behaviours[URI] = Behaviour(content="good files")
    cluster.until(lambda: cluster.stable != stable, 2 * INTERVAL)


def test_files_that_change_back_end_the_rollout(cluster: FakeCluster) -> None:
    """Given a canary of other files, the files of before revert it."""
    stable = cluster.stable
    cluster.edit(lambda spec: spec["rollout"]["canary"]["steps"][0].update(minSeconds=7200))
    cluster.behaviours[URI] = OTHER
    cluster.until(lambda: cluster.state is State.ANALYSING)
    del cluster.behaviours[URI]
    cluster.until(lambda: cluster.state is None, 2 * INTERVAL)
    assert (cluster.stable, cluster.reasons[-1]) == (stable, "RolloutReverted")


def test_rollback_holds_against_other_files(cluster: FakeCluster) -> None:
    """Given a pinned revision, other files are noticed, but not rolled out."""
    first = cluster.stable
    cluster.model(2).until(cluster.ready)
    cluster.command("rollback@1").until(lambda: cluster.stable == first and not cluster.state)
    cluster.behaviours["https://models.example/digits/2"] = OTHER
    cluster.run(3 * INTERVAL)
    assert (cluster.stable, cluster.condition("Ready")) == (first, ("False", "Pinned"))
    cluster.command("resume@2").until(cluster.ready)
    assert cluster.stable != first
