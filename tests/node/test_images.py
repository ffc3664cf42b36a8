from pathlib import Path

import pytest

from local.node.images import ImageTable
from local.triton import Triton

TABLE = ImageTable(
    virtual_environment=Path("/venv"), server=Triton(Path("/cache/triton"), "/libraries")
)


@pytest.mark.parametrize(
    "image",
    ["halimede", "halimede:0.1.0", "ghcr.io/halimede/halimede:dev", "localhost:5000/halimede:x"],
)
def test_halimede_is_this_checkout_whatever_its_registry_and_tag(image: str) -> None:
    """The operator's image runs the console script of the virtual environment."""
    found = TABLE.find(image)
    assert found is not None
    assert found.entrypoint == ("/venv/bin/halimede",)


def test_triton_has_its_server_where_the_container_image_has_it() -> None:
    """The wheel's server is bound at Triton's home, and found on PATH with its libraries."""
    found = TABLE.find("nvcr.io/nvidia/tritonserver:24.10-py3")
    assert found is not None
    assert [(step.target, step.source) for step in found.steps] == [
        ("/opt/tritonserver", "/cache/triton")
    ]
    assert found.environment["PATH"].startswith("/opt/tritonserver/bin:/venv/bin:")
    assert found.environment["LD_LIBRARY_PATH"] == "/libraries"


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "nvcr.io/nvidia/tritonserver:26.09-py3",
        "nvcr.io/nvidia/tritonserver",
        "halimede-fetcher:1",
        "halimede@sha256:00",
    ],
)
def test_other_images_are_unknown(image: str) -> None:
    """What is not in the table is never run as something else, a wrong version least of all."""
    assert TABLE.find(image) is None


def test_without_a_server_triton_is_unknown() -> None:
    """A Python that cannot run the wheel's Triton makes its image one that cannot be pulled."""
    table = ImageTable(virtual_environment=Path("/venv"), server=None)
    assert table.find("nvcr.io/nvidia/tritonserver:24.10-py3") is None
