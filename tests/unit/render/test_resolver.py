"""The Job that determines the digest of a model, and which fields it is determined for."""

from typing import Any

import pytest

from halimede.api.base import Manifest
from halimede.render.platform import Platform
from halimede.render.resolver import render_resolver, source_digest
from tests.unit.render.resources import digits

PLATFORM = Platform(fetch_image="registry.example/halimede-fetch:0.1.0")


def pod_spec(**changes: Any) -> Manifest:
    """Return the pod of the Job, with changes by podTemplate."""
    model = {"storageUri": "pvc://models/digits", "config": {"backend": "python"}}
    md = digits(model=model, podTemplate={"spec": changes})
    (job,) = render_resolver(md, PLATFORM)
    spec: Manifest = job["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize(
    ("change", "args"),
    [
        ({"args": None}, []),
        ({"args": []}, []),
        ({"args": ["fetch", "--source", "/other"]}, ["fetch", "--source", "/other"]),
        ({"volumeMounts": None, "args": ["--config"]}, []),
        (
            {"volumeMounts": [{"mountPath": "/config"}], "args": ["--config", "/c", "fetch"]},
            ["fetch"],
        ),
    ],
)
def test_fetcher_without_what_the_operator_renders(change: Manifest, args: list[str]) -> None:
    """Given arguments or mounts that podTemplate replaces, the Job has these as well."""
    spec = pod_spec(initContainers=[{"name": "fetch", **change}])
    (fetcher,) = spec["containers"]
    assert fetcher["args"] == args


def test_job_takes_no_devices_of_triton() -> None:
    """Given claims and resources of the pod, which are for Triton, the Job waits for none."""
    spec = pod_spec(
        resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "gpu"}],
        resources={"limits": {"memory": "200Gi"}},
    )
    assert not spec.keys() & {"resourceClaims", "resources"}


def digest_of(uri: str, **supply: Any) -> str:
    """Return the digest of a source."""
    model = {"storageUri": uri, "supply": supply, "config": {"backend": "python"}}
    return source_digest(digits(model=model))


@pytest.mark.parametrize(
    ("supply", "is_same"),
    [
        ({}, True),
        ({"allowedFormats": ["py"]}, True),
        ({"region": "eu-central-1"}, True),
        ({"endpoint": "https://other.example.com"}, False),
        ({"include": ["*.py"]}, False),
        ({"exclude": ["*.py"]}, False),
    ],
)
def test_another_store_or_choice_has_other_files(*, supply: dict[str, Any], is_same: bool) -> None:
    """Given the same address in another store, then its digest is determined again."""
    uri = "s3://models/digits"
    assert (digest_of(uri) == digest_of(uri, **supply)) == is_same
