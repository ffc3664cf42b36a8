"""Which APIs clients of a real Triton can use, with the arguments that Halimede renders."""

from pathlib import Path

from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.arguments import triton_arguments
from halimede.render.config_pbtxt import model_config
from harness.manifests import NAME, model_deployment
from harness.models import Version
from localcluster.node.environment import expand
from localcluster.triton import Triton
from tests.demo.triton_server import served
from tests.support.triton_apis import GRPC, HTTP, PUBLIC, Results, call_apis

UID = "7d2d0d0c-9f0f-4d3e-8f3d-1c6f3a6b5e21"
OWN = ("--model-repository", "--http-port", "--grpc-port", "--metrics-port")
"""Arguments that are set by the test server instead."""


def rendered() -> list[str]:
    """Return the arguments of the demo's Triton in a pod with a UID."""
    spec = ModelDeployment.from_manifest(model_deployment("v2")).spec
    arguments = triton_arguments(spec, model_config(NAME, spec))
    return [
        expand(one, {"HALIMEDE_ADMIN_KEY": UID}) for one in arguments if not one.startswith(OWN)
    ]


def test_only_administrative_apis_need_the_key(
    triton: Triton, versions: dict[str, Version], tmp_path: Path
) -> None:
    """Health, metadata and configuration are for all clients, the rest for those with the UID."""
    rejected: Results = dict.fromkeys(HTTP, 403) | dict.fromkeys(GRPC, "UNAVAILABLE")
    with served(triton, versions["v2"], tmp_path, *rendered()) as server:
        assert server.ready(), server.log.read_text()
        ask = (server.http, server.grpc, "digits.example.com")
        assert call_apis(*ask, "") == PUBLIC | rejected
        assert call_apis(*ask, "$(HALIMEDE_ADMIN_KEY)") == PUBLIC | rejected
        with_key = call_apis(*ask, UID)
    # There is no region of this name, so the registration itself fails.
    missing: Results = {
        "/v2/systemsharedmemory/region/x/register": 500,
        "SystemSharedMemoryRegister": "INTERNAL",
    }
    allowed: Results = dict.fromkeys(HTTP, 200) | dict.fromkeys(GRPC, "OK")
    assert with_key == PUBLIC | allowed | missing
