"""A model in a cache: one Job reads its source, and pods of the revision never do."""

import copy
from collections.abc import Callable

import pytest

from halimede.api.base import Manifest
from harness.fake_behaviour import Behaviour, failing_fetcher, files_digest, option
from harness.fake_cluster import FakeCluster
from harness.fake_spec import SPEC

FIRST = SPEC["model"]["storageUri"]
SECOND = "https://models.example/digits/2"
CACHE = {"kind": "Volume", "volume": {"claimName": "models"}}
DAMAGED = failing_fetcher(1, "the model in the cache is damaged", restarts=4)


def spec_with(*, digest: bool, cached: bool) -> Manifest:
    """Return a spec with or without a digest and a cache."""
    spec = copy.deepcopy(SPEC)
    if not digest:
        del spec["model"]["sha256"]
    if cached:
        spec["model"]["supply"] = {"cache": copy.deepcopy(CACHE)}
    return spec


def add_cache(spec: Manifest) -> None:
    """Add a cache to a spec."""
    spec["model"]["supply"] = {"cache": copy.deepcopy(CACHE)}


def remove_cache(spec: Manifest) -> None:
    """Remove the cache of a spec."""
    del spec["model"]["supply"]


def jobs(cluster: FakeCluster) -> list[str]:
    """Return the names of the Jobs that exist."""
    return [name for kind, name in cluster.objects if kind == "Job"]


def fetcher_args(cluster: FakeCluster) -> list[str]:
    """Return the arguments of the one Job that exists."""
    (name,) = jobs(cluster)
    args: list[str] = cluster.objects["Job", name]["spec"]["template"]["spec"]["containers"][0][
        "args"
    ]
    return args


def pod_of(cluster: FakeCluster, revision: str | None) -> Manifest:
    """Return the pod's spec of a revision."""
    spec: Manifest = cluster.objects["Deployment", f"digits-{revision}"]["spec"]["template"][
        "spec"
    ]
    return spec


def jobs_of(cluster: FakeCluster, change: Callable[[Manifest], object]) -> int:
    """Edit the spec and wait until it is reached; return how many Jobs were created."""
    before = len(cluster.writes)
    cluster.edit(change).run(10)
    cluster.until(cluster.ready)
    return sum(verb.startswith("apply Job/") for verb, _ in cluster.writes[before:])


@pytest.fixture
def cluster() -> FakeCluster:
    """Make a cluster in which a first model serves from a cache."""
    served = FakeCluster(spec=spec_with(digest=False, cached=True))
    served.until(served.ready)
    served.run(120)
    served.lost = 0.0
    return served


@pytest.mark.parametrize("digest", [True, False])
def test_job_fills_the_cache_before_there_is_a_pod(*, digest: bool) -> None:
    """Given a first model, also with a digest, a Job with its source and Secret comes first.

    The pods of the revision have neither, and read the folder that the Job has named.
    """
    spec = spec_with(digest=digest, cached=True)
    spec["model"]["secretName"] = "server"
    cluster = FakeCluster(spec=spec)
    cluster.settle()
    assert {kind for kind, _ in cluster.objects} == {"Job"}
    assert cluster.condition("Ready") == ("Unknown", "ResolvingModel")
    assert "are being fetched to the cache" in cluster.message("Ready")
    stated = spec["model"].get("sha256")
    assert option(fetcher_args(cluster), "--sha256") == stated
    cluster.until(cluster.ready)
    files = files_digest(FIRST, Behaviour())
    assert cluster.parsed.model is not None
    assert cluster.parsed.model.files == files
    pod = pod_of(cluster, cluster.stable)
    assert pod["initContainers"][0]["args"][:5] == [
        "verify",
        "--cache",
        "/cache",
        "--files",
        files,
    ]
    text = str(pod)
    assert (FIRST in text, "source-credentials" in text, f"/{files}/model" in text) == (
        *(False, False, True),
    )


def test_source_is_gone(cluster: FakeCluster) -> None:
    """Given sources that are gone, rollbacks, restarts and scale-ups still work."""
    first = cluster.stable
    cluster.model(2).until(cluster.ready)
    cluster.lost_sources = {FIRST: cluster.now, SECOND: cluster.now}
    cluster.edit(lambda spec: spec.update(replicas=5)).run(60)
    second = cluster.stable
    assert cluster.replicas(second or "") == 5
    cluster.pods.clear()
    cluster.run(120)
    assert cluster.condition("Available") == ("True", "Serving")
    cluster.lost = 0.0
    cluster.command("rollback@1").until(lambda: cluster.stable == first)
    limits = {"limits": {"memory": "3Gi"}}
    cluster.edit(lambda spec: spec.update(resources=limits)).until(cluster.ready)
    assert (cluster.stable not in (first, second), cluster.lost) == (True, 0.0)


def test_source_is_gone_without_a_cache() -> None:
    """Given no cache, a new pod needs the source, as the fake cluster must know."""
    cluster = FakeCluster(spec=spec_with(digest=False, cached=False))
    cluster.until(cluster.ready)
    cluster.lost_sources = {FIRST: cluster.now}
    cluster.edit(lambda spec: spec.update(replicas=5)).run(600)
    assert sum(cluster._is_ready(pod) for pod in cluster.pods) == 2


@pytest.mark.parametrize("digest", [True, False])
def test_cache_is_added_to_a_model_that_serves(*, digest: bool) -> None:
    """Given a model that serves, the Job expects its digest, and the same bytes roll out."""
    cluster = FakeCluster(spec=spec_with(digest=digest, cached=False))
    cluster.until(cluster.ready)
    first, known = cluster.stable, cluster.parsed.model
    expected = known.digest if known else SPEC["model"]["sha256"]
    cluster.edit(add_cache).settle()
    assert option(fetcher_args(cluster), "--sha256") == expected
    assert cluster.condition("Available") == ("True", "Serving")
    cluster.until(cluster.ready)
    assert cluster.parsed.model is not None
    assert (cluster.stable != first, cluster.parsed.model.digest) == (True, expected)


def test_cache_is_removed(cluster: FakeCluster) -> None:
    """Given a model in a cache, pods fetch the same files again once the cache is removed."""
    known = cluster.parsed.model
    assert known is not None
    cluster.edit(remove_cache).run(10)
    cluster.until(cluster.ready)
    assert cluster.parsed.model == known.evolve(files=None, cached=None)
    args = pod_of(cluster, cluster.stable)["initContainers"][0]["args"]
    assert (option(args, "--source"), option(args, "--sha256")) == (FIRST, known.digest)


def test_same_files_at_another_address_are_the_same_revision(cluster: FakeCluster) -> None:
    """Given the files of the stable revision at another address, nothing rolls out."""
    first = cluster.stable
    cluster.model(2, Behaviour(content=FIRST)).run(10)
    assert len(jobs(cluster)) == 1
    cluster.until(cluster.ready)
    assert (cluster.stable, cluster.rollout, jobs(cluster)) == (first, None, [])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda spec: spec["model"].update(allowNativeCode=True), 1),
        (lambda spec: spec["model"]["supply"].update(allowedFormats=["onnx"]), 1),
        (lambda spec: spec["model"]["supply"].update(include=["*.onnx"]), 1),
        (lambda spec: spec["model"].update(sha256="1" * 64), 1),
        (lambda spec: spec["model"].update(secretName="server"), 0),
        (lambda spec: spec["model"].update(maxSize="20Gi"), 0),
        (lambda spec: spec.update(resources={"limits": {"memory": "3Gi"}}), 0),
    ],
)
def test_what_reads_the_source_again(
    cluster: FakeCluster, change: Callable[[Manifest], object], expected: int
) -> None:
    """Given another field, a Job reads the source if that field says what a model may contain."""
    assert jobs_of(cluster, change) == expected


def test_another_claim_is_filled(cluster: FakeCluster) -> None:
    """Given another claim, a Job puts the same files there."""
    cluster.claims.add("others")
    known = cluster.parsed.model
    cluster.edit(
        lambda spec: spec["model"]["supply"]["cache"].update(volume={"claimName": "others"})
    )
    cluster.settle()
    assert known is not None
    assert option(fetcher_args(cluster), "--sha256") == known.digest
    cluster.until(cluster.ready)
    claims = [
        one["persistentVolumeClaim"] for one in pod_of(cluster, cluster.stable)["volumes"][3:]
    ]
    assert claims == [{"claimName": "others", "readOnly": True}]


def test_missing_claim(cluster: FakeCluster) -> None:
    """Given a claim that does not exist, the message names the field, until it is created."""
    cluster.edit(
        lambda spec: spec["model"]["supply"]["cache"].update(volume={"claimName": "none"})
    )
    cluster.run(60)
    assert cluster.condition("Ready") == ("Unknown", "ResolvingModel")
    assert "spec.model.supply.cache.volume.claimName: " in cluster.message("Ready")
    assert 'persistentvolumeclaim "none" not found' in cluster.message("Ready")
    cluster.claims.add("none")
    cluster.until(cluster.ready)


@pytest.mark.transition("cache-verified")
def test_retry_verifies_the_cache(cluster: FakeCluster) -> None:
    """Given a model that serves, `retry` lets a Job verify it or fetch it again; it stays."""
    stable, writes = cluster.stable, len(cluster.writes)
    cluster.command("retry@1").run(10)
    assert [verb for verb, _ in cluster.writes[writes:] if "Job" in verb]
    assert cluster.condition("Available") == ("True", "Serving")
    cluster.until(cluster.ready)
    assert (cluster.stable, cluster.rollout, jobs(cluster)) == (stable, None, [])


@pytest.mark.transition("cache-verified")
def test_retry_of_a_canary_that_found_damage(cluster: FakeCluster) -> None:
    """Given a canary whose pods found a damaged model, `retry` repairs it and rolls it out."""
    first = cluster.stable
    cluster.model(2, Behaviour(container=DAMAGED))
    cluster.until(lambda: cluster.condition("Ready") == ("False", "CanaryFailed"))
    writes = len(cluster.writes)
    cluster.behaviours[SECOND] = Behaviour()
    cluster.command("retry@1").run(10)
    assert any(verb.startswith("apply Job/") for verb, _ in cluster.writes[writes:])
    cluster.until(cluster.ready)
    assert (cluster.stable != first, cluster.lost) == (True, 0.0)


@pytest.mark.parametrize(
    "message",
    [
        "",
        f"sha256:{'0' * 64}",  # a fetcher that knows no cache
        f"sha256:{'1' * 64} files:{'2' * 64}",  # other files than the spec states
    ],
)
def test_fetcher_that_reports_something_else(message: str) -> None:
    """Given a fetcher that did not do what it was told, no revision is made of it."""
    ended = {"name": "fetch", "state": {"terminated": {"exitCode": 0, "message": message}}}
    other = {FIRST: Behaviour(resolver=ended)}
    cluster = FakeCluster(spec=spec_with(digest=True, cached=True), behaviours=other)
    cluster.until(lambda: cluster.condition("Ready") == ("False", "ModelUnresolved"))
    assert "did not report a digest" in cluster.message("Ready")
    assert cluster.parsed.target is None


def test_failure_is_final_until_retry(cluster: FakeCluster) -> None:
    """Given a full volume, the status says so, and `retry` tries again."""
    full = failing_fetcher(1, "the volume of the claim is full")
    cluster.model(2, Behaviour(resolver=full)).run(600)
    assert cluster.condition("Ready") == ("False", "ModelUnresolved")
    assert "could not be fetched to the cache: the volume of the claim" in cluster.message("Ready")
    cluster.behaviours[SECOND] = Behaviour()
    cluster.command("retry@1").until(cluster.ready)


def test_other_files_at_the_address_are_put_beside(cluster: FakeCluster) -> None:
    """Given `resolve: OnChange`, other files at the address enter the cache and roll out.

    The way back needs no source.
    """
    first = cluster.stable
    every = {"resolve": "OnChange", "resolveIntervalSeconds": 300}
    cluster.edit(lambda spec: spec["model"]["supply"].update(every)).run(600)
    assert (cluster.stable, cluster.rollout) == (first, None)
    cluster.behaviours[FIRST] = Behaviour(content="other files")
    cluster.until(lambda: cluster.ready() and cluster.stable != first)
    model = cluster.parsed.model
    assert model is not None
    assert model.files == files_digest(FIRST, cluster.behaviours[FIRST])
    cluster.lost_sources = {FIRST: cluster.now}
    cluster.command("rollback@1").until(lambda: cluster.stable == first)
    assert cluster.lost == 0.0


def test_commit_of_a_hub_stays_known() -> None:
    """Given a model on a hub, its commit is known after a Job that asked no hub."""
    spec, commit = spec_with(digest=False, cached=True), "ab" * 20
    spec["model"]["storageUri"] = uri = "hf://org/digits"
    pinned = f"{uri}@{commit}"
    cluster = FakeCluster(spec=spec, behaviours={uri: Behaviour(commit=commit, content="hub")})
    cluster.behaviours[pinned] = Behaviour(content="hub")
    cluster.until(cluster.ready)
    known = cluster.parsed.model
    assert known is not None
    assert known.commit == commit
    cluster.command("retry@1").settle()
    assert option(fetcher_args(cluster), "--source") == pinned
    cluster.until(cluster.ready)
    assert cluster.parsed.model is not None
    assert (cluster.parsed.model.commit, cluster.parsed.model.files) == (commit, known.files)
