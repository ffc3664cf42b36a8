"""Triton's arguments: a version gets those that it knows, for an unknown one ends the server."""

from typing import Any

import pytest

from halimede.render.arguments import triton_arguments
from halimede.render.config_pbtxt import model_config
from tests.unit.render.resources import digits

WHOLE = {
    "backend": "python",
    "inputs": [{"name": "X", "dataType": "TYPE_FP32", "dims": [4]}],
    "outputs": [{"name": "Z", "dataType": "TYPE_FP32", "dims": [4]}],
}


def flags(config: dict[str, Any] | None = None, **spec: Any) -> set[str]:
    """Name the flags that are rendered, without their values."""
    wanted = digits(model={"config": config or {"backend": "python"}}, **spec).spec
    found = triton_arguments(wanted, model_config("digits", wanted))
    return {argument.partition("=")[0] for argument in found}


@pytest.mark.parametrize(
    ("flag", "since"),
    [
        ("--allow-vertex-ai", "22.07"),
        ("--grpc-max-connection-age", "24.01"),
        ("--grpc-max-response-pool-size", "25.03"),
        ("--allow-client-shm", "26.05"),
    ],
)
def test_flags_from_their_version_on(flag: str, since: str) -> None:
    """A flag is there from the version on that brought it."""
    year, month = since.split(".")
    before = f"{int(year) - 1:02}.{month}"
    assert flag in flags(runtime={"version": since})
    assert flag not in flags(runtime={"version": before})


def test_unknown_version_gets_no_newer_flag() -> None:
    """An image of which nothing is known gets only what every Triton knows."""
    known = flags(runtime={"version": "22.06"})
    assert flags(runtime={"image": "registry.example/triton:mine"}) == known


def test_image_with_version() -> None:
    """An image of a stated version gets that version's flags."""
    stated = {"image": "registry.example/triton:mine", "version": "24.10"}
    assert flags(runtime=stated) == flags(runtime={"version": "24.10"})


def test_whole_configuration_is_not_guessed() -> None:
    """Triton completes a configuration only where it is not complete."""
    assert "--disable-auto-complete-config" in flags(WHOLE)
    assert "--disable-auto-complete-config" not in flags()


def test_cache_on_both_sides() -> None:
    """A model that asks for the response cache gets a server that has one."""
    assert "--cache-config" in flags(WHOLE | {"responseCache": True})
    assert "--cache-config" not in flags(WHOLE)


def test_gpu_metrics_only_with_gpus() -> None:
    """Without GPUs Triton is told not to look for them."""
    assert "--allow-gpu-metrics" in flags()
    assert "--allow-gpu-metrics" not in flags(gpu={})


def test_own_arguments_come_last() -> None:
    """The user's arguments follow ours, so that theirs win."""
    wanted = digits(runtime={"version": "24.10", "args": ["--log-verbose=1"]}).spec
    assert triton_arguments(wanted, model_config("digits", wanted))[-1] == "--log-verbose=1"
