"""The values of the pod template that come from the limits of a model's files."""

from argparse import ArgumentParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.render.platform import Platform
from halimede.render.revision import render_revision
from halimede_fetch.command import add_arguments
from localcluster.node.environment import expand
from tests.unit.render.resources import INPUTS, digits

PLATFORM = Platform(fetch_image="registry.example/halimede-fetch:0.1.0")
LIMITS = ["--max-bytes", "10737418240", "--timeout-seconds", "3600"]


def pod(**model: Any) -> dict[str, Any]:
    """Return the spec of the pods of a model with these fields."""
    md = digits(model={"config": {"backend": "python"}} | model)
    spec: dict[str, Any] = render_revision(md, PLATFORM, INPUTS).pod_template["spec"]
    return spec


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        ({}, LIMITS),
        ({"maxSize": "1.5Gi"}, ["--max-bytes", "1610612736", *LIMITS[2:]]),
        ({"maxSize": 1048577}, ["--max-bytes", "1048577", *LIMITS[2:]]),
        ({"fetchTimeoutSeconds": 60}, [*LIMITS[:2], "--timeout-seconds", "60"]),
        ({"allowNativeCode": True}, [*LIMITS, "--allow-native-code"]),
        ({"storageUri": "pvc://models/digits"}, [*LIMITS, "--volume", "/source"]),
        (
            {"storageUri": "hf://org/repo"},
            [*LIMITS, "--endpoint=https://huggingface.co"],
        ),
        (
            {"storageUri": "hf://org/repo", "supply": {"endpoint": "https://hub.example.com/$$"}},
            [*LIMITS, "--endpoint=https://hub.example.com/$$$$"],
        ),
        ({"sha256": "ab" * 32}, [*LIMITS, "--sha256", "ab" * 32]),
        ({"supply": {}}, LIMITS),
        (
            {"supply": {"include": ["*.onnx", "-a b"], "exclude": ["old/"]}},
            [*LIMITS, "--include=*.onnx", "--include=-a b", "--exclude=old/"],
        ),
        (
            {"supply": {"allowedFormats": ["onnx", "pickle"]}},
            [*LIMITS, "--allow-format=onnx", "--allow-format=pickle"],
        ),
        ({"supply": {"include": ["$(HOME)/$"]}}, [*LIMITS, "--include=$$(HOME)/$$"]),
    ],
)
def test_the_fetcher_gets_the_limits(model: dict[str, Any], arguments: list[str]) -> None:
    """Each field is an argument of `halimede-fetch fetch`."""
    (fetcher,) = pod(**{"storageUri": "configMap://digits"} | model)["initContainers"]
    assert fetcher["args"][7:] == arguments


@pytest.mark.parametrize("size", ["10Gi", "500Mi", 1048577])
def test_the_volumes_have_the_limit_of_the_model(size: int | str) -> None:
    """The kubelet evicts a pod that exceeds it; the fetcher fails before, with a message."""
    volumes = {one["name"]: one for one in pod(maxSize=size)["volumes"]}
    assert volumes["model"]["emptyDir"] == volumes["tmp"]["emptyDir"] == {"sizeLimit": size}


def test_a_volume_can_have_another_limit() -> None:
    """Models that write much to /tmp set it in the pod template."""
    template = {"spec": {"volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "50Gi"}}]}}
    rendered = render_revision(digits(podTemplate=template), PLATFORM, INPUTS).pod_template
    volumes = {one["name"]: one for one in rendered["spec"]["volumes"]}
    assert volumes["tmp"]["emptyDir"] == {"sizeLimit": "50Gi"}
    assert volumes["model"]["emptyDir"] == {"sizeLimit": "10Gi"}


def test_pods_have_the_account_of_the_spec_and_no_token() -> None:
    """Without one, the field is absent, as in the pods of earlier versions."""
    template = render_revision(digits(), PLATFORM, INPUTS).pod_template
    assert "serviceAccountName" not in template["spec"]
    named = render_revision(digits(serviceAccountName="models"), PLATFORM, INPUTS).pod_template
    added = {"serviceAccountName": "models"}
    assert named == template | {"spec": template["spec"] | added}
    assert named["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("uri", ["https://h/$$(HOME)/a", "hf://o/r/$$", "pvc://c/$(HOME)"])
def test_addresses_reach_the_fetcher_unchanged(uri: str) -> None:
    """Given an address that looks like a variable, then the kubelet does not replace it."""
    (fetcher,) = pod(storageUri=uri)["initContainers"]
    words = [expand(word, {"HOME": "/"}) for word in fetcher["args"]]
    assert words[words.index("--source") + 1] == uri.replace("pvc://c", "/source")


PATTERN = st.text(st.characters(exclude_characters="\\", exclude_categories=["C"]), min_size=1)


@given(st.lists(PATTERN, unique=True, min_size=1), st.lists(PATTERN, unique=True, min_size=1))
def test_patterns_reach_the_fetcher_unchanged(include: list[str], exclude: list[str]) -> None:
    """Given any patterns, neither the kubelet nor the parser of arguments changes them."""
    supply = {"include": include, "exclude": exclude, "allowedFormats": ["$$"]}
    (fetcher,) = pod(storageUri="configMap://digits", supply=supply)["initContainers"]
    words = [expand(word, {"HOME": "/"}) for word in fetcher["args"]]
    parser = ArgumentParser()
    add_arguments(parser)
    parsed = parser.parse_args(words[1:])
    assert (parsed.include, parsed.exclude, parsed.allow_format) == (include, exclude, ["$$"])
