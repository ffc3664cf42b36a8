"""Where the demo's cluster gets the versions from."""

import subprocess
from pathlib import Path

import pytest

from demo.supply import Bucket, ConfigMaps, digest_of, supplied
from harness.manifests import model_deployment
from harness.models import Version
from harness.object_store import store_on_loopback
from harness.watch import Snapshot
from localcluster.access import Access, ClusterError
from localcluster.cluster import Cluster
from tests.unit.fetch.conftest import TLS

AS_DOCUMENTED = (
    r"find -L . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
)


def test_a_local_cluster_gets_them_from_a_store_inside(cluster: Cluster) -> None:
    """Given a local cluster, then the endpoint of each version is said, and is in its source."""
    said: list[str] = []
    with supplied(cluster, said.append) as supply:
        assert isinstance(supply, Bucket)
        source = supply.source("v1")
        assert source["storageUri"] == "s3://models/digits/v1"
        assert said[0].endswith(source["supply"]["endpoint"])


def test_a_cluster_of_the_user_gets_them_from_config_maps(versions: dict[str, Version]) -> None:
    """Given another cluster, then the reason is said, and each version has its ConfigMap."""
    nothing = Path("/nonexistent")
    mine = Access("mine", nothing, ("203.0.113.7", 80), "http://203.0.113.7", nothing, nothing)
    said: list[str] = []
    with supplied(mine, said.append) as supply:
        assert isinstance(supply, ConfigMaps)
        objects = supply.provide(versions.values(), said.append)
        spec = model_deployment("v2", supply.source("v2"))["spec"]
    assert "your cluster cannot reach a store on this machine" in said[0]
    assert {one["kind"] for one in objects} == {"ConfigMap"}
    names = [f"configMap://{one['metadata']['name']}" for one in objects]
    assert spec["model"]["storageUri"] == names[1]


def test_the_digest_is_the_documented_one(versions: dict[str, Version], tmp_path: Path) -> None:
    """Given the files of a version in a folder, then sha256sum computes the same digest."""
    files = versions["v3"].write(tmp_path / "1")
    printed = subprocess.run(
        ["/bin/sh", "-c", AS_DOCUMENTED], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    content = {f"1/{file.name}": file.read_bytes() for file in files.iterdir()}
    assert digest_of(content) == printed.split()[0]


@pytest.mark.parametrize(
    ("status", "resolved"),
    [
        ({}, True),
        ({"model": {"source": "a"}}, False),
        ({"model": {"source": "a", "digest": "b"}}, True),
    ],
    ids=["in the spec", "not yet", "determined"],
)
def test_a_version_is_known_when_its_digest_is(
    status: dict[str, object], *, resolved: bool
) -> None:
    """Given a status of a version in a bucket, then its revision is known once its digest is."""
    seen = Snapshot.of({"metadata": {"generation": 1}, "status": status}, 0.0)
    assert seen.resolved is resolved


def test_a_store_that_cannot_start_shows_its_last_words(tmp_path: Path) -> None:
    """Given a file that is no certificate, then the error has the end of the store's log."""
    (broken := tmp_path / "broken").touch()
    with (
        pytest.raises(ClusterError, match=r"versitygw exited with status 1[^\0]*tls: failed"),
        store_on_loopback(tmp_path, TLS / "ca.pem", broken, broken),
    ):
        pass


def test_an_upload_that_the_store_rejects_is_named(tmp_path: Path) -> None:
    """Given no bucket, then the error has the request and the answer of the store."""
    certificate = TLS / "server.pem"
    with (
        store_on_loopback(tmp_path, TLS / "ca.pem", certificate, certificate) as store,
        pytest.raises(ClusterError, match=r"PUT /models/a: status 404[^\0]*NoSuchBucket"),
    ):
        store.put("models", "a", b"b")
