"""Triton's arguments: only those that its version knows, because others end the server."""

from typing import Any

import pytest

from halimede.render.arguments import ADMIN_KEY, ADMIN_KEY_HEADER, triton_arguments
from halimede.render.config_pbtxt import model_config
from tests.unit.render.resources import digits

WHOLE = {
    "backend": "python",
    "inputs": [{"name": "X", "dataType": "TYPE_FP32", "dims": [4]}],
    "outputs": [{"name": "Z", "dataType": "TYPE_FP32", "dims": [4]}],
}


def flags(config: dict[str, Any] | None = None, **spec: Any) -> set[str]:
    """Return the rendered flags without their values."""
    spec = digits(model={"config": config or {"backend": "python"}}, **spec).spec
    result = triton_arguments(spec, model_config("digits", spec))
    return {argument.partition("=")[0] for argument in result}


@pytest.mark.parametrize(
    ("flag", "since"),
    [
        ("--allow-vertex-ai", "22.07"),
        ("--http-restricted-api", "23.11"),
        ("--grpc-restricted-protocol", "23.11"),
        ("--grpc-max-connection-age", "24.01"),
        ("--grpc-max-response-pool-size", "25.03"),
        ("--allow-client-shm", "26.05"),
    ],
)
def test_flags_from_their_version_on(flag: str, since: str) -> None:
    """A flag is rendered from the version that introduced it."""
    year, month = since.split(".")
    before = f"{int(year) - 1:02}.{month}"
    assert flag in flags(runtime={"version": since})
    assert flag not in flags(runtime={"version": before})


def test_image_with_version() -> None:
    """An image of a stated version gets that version's flags."""
    stated = {"image": "registry.example/triton:mine", "version": "26.09"}
    assert flags(runtime=stated) == flags(runtime={"version": "26.09"})


def test_whole_configuration_is_not_guessed() -> None:
    """Triton autocompletes only an incomplete configuration."""
    assert "--disable-auto-complete-config" in flags(WHOLE)
    assert "--disable-auto-complete-config" not in flags()


def test_cache_on_both_sides() -> None:
    """A model with a response cache gets a server with one."""
    assert "--cache-config" in flags(WHOLE | {"responseCache": True})
    assert "--cache-config" not in flags(WHOLE)


def test_gpu_metrics_only_with_gpus() -> None:
    """Without GPUs Triton's GPU metrics are disabled."""
    assert "--allow-gpu-metrics" in flags()
    assert "--allow-gpu-metrics" not in flags(gpu={})


def test_own_arguments_come_last() -> None:
    """The user's arguments follow ours, so they have precedence."""
    spec = digits(runtime={"version": "26.09", "args": ["--log-verbose=1"]}).spec
    assert triton_arguments(spec, model_config("digits", spec))[-1] == "--log-verbose=1"


RESTRICTIONS = ("--http-restricted-api", "--grpc-restricted-protocol")


def arguments(*own: str) -> list[str]:
    """Return all arguments of a Triton with arguments of the user's."""
    spec = digits(runtime={"version": "26.09", "args": list(own)}).spec
    return triton_arguments(spec, model_config("digits", spec))


def test_administrative_apis_need_the_key_of_the_pod() -> None:
    """The categories are named together with the variable that the kubelet replaces."""
    needed = "logging,model-repository,shared-memory,statistics,trace"
    key = f"{ADMIN_KEY_HEADER}=$({ADMIN_KEY['name']})"
    assert {f"{flag}={needed}:{key}" for flag in RESTRICTIONS} <= set(arguments())


@pytest.mark.parametrize("flag", RESTRICTIONS)
@pytest.mark.parametrize("name", ["{}", "{:.14}"])
def test_own_restrictions_replace_ours(flag: str, name: str) -> None:
    """Triton exits if two restrictions name the same category."""
    written = name.format(flag)
    (other,) = set(RESTRICTIONS) - {flag}
    for own in ([f"{written}=trace:a=b"], [written, "trace:a=b"]):
        restrictions = [one for one in arguments(*own) if one.startswith((written, other))]
        assert len(restrictions) == 2
        assert own[0] in restrictions


@pytest.mark.parametrize("own", ["--", "--http-thread-count=4", "trace:--http-restricted-api=b"])
def test_other_arguments_replace_no_restriction(own: str) -> None:
    """What is not the beginning of the flag's name leaves the restriction in place."""
    assert set(arguments()) < set(arguments(own))
