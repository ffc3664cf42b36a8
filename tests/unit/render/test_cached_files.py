"""The pods of a model in a cache, and the Job that puts it there."""

from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.api.source import ModelFiles
from halimede.render.platform import Platform
from halimede.render.resolver import cache_digest, render_resolver, source_digest
from halimede.render.revision import UNKNOWN_FILES, render_revision
from tests.unit.render.resources import INPUTS, digits

PLATFORM = Platform(fetch_image="registry.example/halimede-fetch:0.1.0")
FILES = "cd" * 32
KNOWN = ModelFiles("ab" * 32, manifest=FILES)
VOLUME = {"cache": {"kind": "Volume", "volume": {"claimName": "models"}}}
SOURCES = {
    "https": {"storageUri": "https://models.example.com/digits.zip", "secretName": "server"},
    "pvc": {"storageUri": "pvc://sources/digits"},
}


def model(kind: str = "https", **fields: Any) -> Manifest:
    """Return a model from a source, in a cache."""
    return {**SOURCES[kind], "config": {"backend": "python"}, "supply": VOLUME, **fields}


def pod(**fields: Any) -> Manifest:
    """Return the spec of the pods of a model in a cache."""
    rendered = render_revision(digits(model=model(**fields)), PLATFORM, {}, KNOWN)
    spec: Manifest = rendered.pod_template["spec"]
    return spec


def job(expected: ModelFiles | None = None, **fields: Any) -> Manifest:
    """Return the spec of the pod of a Job."""
    (rendered,) = render_resolver(digits(model=model(**fields)), PLATFORM, expected)
    spec: Manifest = rendered["spec"]["template"]["spec"]
    return spec


def mounts(container: Manifest) -> dict[str, Manifest]:
    """Return the mounts of a container by their paths."""
    return {one["mountPath"]: one for one in container["volumeMounts"]}


@pytest.mark.parametrize("kind", SOURCES)
def test_pods_have_neither_source_nor_credentials(kind: str) -> None:
    """Given a cache, pods mount the claim read-only, and no other volume with a model."""
    spec = pod(kind=kind)
    assert [one["name"] for one in spec["volumes"]] == ["tmp", "shm", "config", "halimede-cache"]
    claim = {"claimName": "models", "readOnly": True}
    assert spec["volumes"][-1]["persistentVolumeClaim"] == claim
    (fetch,), (triton,) = spec["initContainers"], spec["containers"]
    assert fetch["args"] == [
        *("verify", "--cache", "/cache", "--files", FILES, "--timeout-seconds", "3600"),
    ]
    cache = {"name": "halimede-cache", "readOnly": True}
    assert mounts(fetch)["/cache"] == {**cache, "mountPath": "/cache"}
    where = {"mountPath": "/models/digits", "subPath": f"sha256/cd/{FILES}/model"}
    assert mounts(triton)["/models/digits"] == cache | where
    assert mounts(triton)["/models/digits/config.pbtxt"] == {
        "name": "config",
        "mountPath": "/models/digits/config.pbtxt",
        "subPath": "config.pbtxt",
        "readOnly": True,
    }


@pytest.mark.parametrize("kind", SOURCES)
def test_job_has_the_source_and_writes_the_cache(kind: str) -> None:
    """Given a cache, the Job reads the source, writes the claim, and has no volume for a model."""
    spec = job(kind=kind, sha256="ab" * 32)
    volumes = {one["name"]: one for one in spec["volumes"]}
    other = {"https": "source-credentials", "pvc": "source"}[kind]
    assert volumes.keys() == {"tmp", "halimede-cache", other}
    assert volumes["halimede-cache"]["persistentVolumeClaim"] == {"claimName": "models"}
    (fetch,) = spec["containers"]
    assert mounts(fetch)["/cache"] == {"name": "halimede-cache", "mountPath": "/cache"}
    assert fetch["args"][3:5] == ["--cache", "/cache"]
    assert fetch["args"][-2:] == ["--sha256", "ab" * 32]
    assert not {"--to", "--config"} & set(fetch["args"])


def test_known_digest_is_expected_of_the_job() -> None:
    """Given a digest that was determined before, the Job gets it, and has another name."""
    assert job(ModelFiles("ef" * 32))["containers"][0]["args"][-2:] == ["--sha256", "ef" * 32]
    assert "--sha256" not in job()["containers"][0]["args"]


def test_fields_of_the_source_make_no_other_revision() -> None:
    """Given the same files, the address and the Secret are not part of the revision."""
    revisions = {
        render_revision(
            digits(model=model(**fields)), PLATFORM, {}, ModelFiles(digest, manifest=FILES)
        ).hash
        for digest, fields in (
            ("ab" * 32, {}),
            ("ab" * 32, {"secretName": "other"}),
            ("ef" * 32, {"storageUri": "https://models.example.com/other.zip"}),
            ("ab" * 32, {"sha256": "ab" * 32}),
            ("ef" * 32, {"kind": "pvc"}),
        )
    }
    assert len(revisions) == 1
    md = digits(model=model())
    assert (
        render_revision(md, PLATFORM, {}, ModelFiles("ab" * 32, manifest="ee" * 32)).hash
        not in revisions
    )


@pytest.mark.parametrize("supply", [{"cache": {}}, {"cache": {"kind": "None"}}, {}])
def test_no_cache_changes_nothing(supply: Manifest) -> None:
    """Given no cache, the revision is that of a spec without the field, whatever is known."""
    fields = {**SOURCES["https"], "config": {"backend": "python"}}
    before = render_revision(digits(model=fields), PLATFORM, {}, ModelFiles("ab" * 32))
    after = render_revision(
        digits(model=fields | {"supply": supply}), PLATFORM, {}, ModelFiles("ab" * 32)
    )
    assert after.digest == before.digest
    md = digits(model=fields | {"supply": supply})
    assert cache_digest(md) is None
    assert source_digest(md) == source_digest(digits(model=fields))


def test_order_of_formats_does_not_matter() -> None:
    """Given a set in another order, nothing is fetched again; given another set, it is."""
    digests = [
        cache_digest(digits(model=model(supply=VOLUME | {"allowedFormats": formats})))
        for formats in (["onnx", "txt"], ["txt", "onnx"], ["onnx"])
    ]
    assert digests[0] == digests[1]
    assert digests[2] not in (digests[0], cache_digest(digits(model=model())))


def test_unknown_files_have_a_name_of_their_own() -> None:
    """Given no status, as in `halimede render`, the folder in the cache is one of zeros."""
    text = str(render_revision(digits(model=model()), PLATFORM, INPUTS).pod_template)
    assert f"sha256/00/{UNKNOWN_FILES.manifest}/model" in text


def test_a_pod_template_is_merged_into_both() -> None:
    """Given resources of the fetcher, the Job and the pods have them."""
    resources = {"limits": {"memory": "1Gi"}}
    fetch = {"name": "fetch", "resources": resources}
    md = digits(model=model(), podTemplate={"spec": {"initContainers": [fetch]}})
    (rendered,) = render_resolver(md, PLATFORM)
    template = render_revision(md, PLATFORM, {}, KNOWN).pod_template
    for containers in (
        rendered["spec"]["template"]["spec"]["containers"],
        template["spec"]["initContainers"],
    ):
        assert containers[0]["resources"] == resources
