from pathlib import Path

import pytest

from localcluster.node.images import ImageTable
from localcluster.node.software import Software
from localcluster.triton import Triton, TritonError

SOFTWARE = Software(
    environment=Path("/srv/a b/venv"),
    base=Path("/home/me/python"),
    checkout=Path("/srv/a b"),
    python="python3.11",
    libpython=Path("/home/me/python/lib/libpython3.11.so.1.0"),
)
SITE = SOFTWARE.environment / "lib" / "python3.11" / "site-packages"
TABLE = ImageTable(
    software=SOFTWARE,
    server=Triton(
        Path("/cache/triton"), (SITE / "nvidia_pytriton.libs", Path("/home/me/python/lib"))
    ),
)


@pytest.mark.parametrize(
    ("image", "program", "source"),
    [
        *(
            (image, "halimede", "operator")
            for image in ("halimede", "halimede:0.1.0", "ghcr.io/halimede/halimede:dev")
        ),
        *(
            (image, "halimede-fetch", "jobs/fetch")
            for image in ("halimede-fetch", "localhost:5000/halimede-fetch:x")
        ),
    ],
)
def test_halimede_is_this_checkout_whatever_its_registry_and_tag(
    image: str, program: str, source: str
) -> None:
    """Both images run this checkout, at the path of the container images, and only their own."""
    result = TABLE.find(image)
    assert result is not None
    assert result.entrypoint == (f"/opt/halimede/bin/{program}",)
    assert result.environment["PYTHONPATH"] == f"/opt/halimede/{source}"
    assert result.environment["LD_LIBRARY_PATH"] == "/opt/halimede/libpython"


def test_triton_has_its_server_where_the_container_image_has_it() -> None:
    """The wheel's server is bound at Triton's home, and found on PATH with its libraries."""
    result = TABLE.find("nvcr.io/nvidia/tritonserver:24.10-py3")
    assert result is not None
    assert [(step.target, step.source) for step in result.steps] == [
        ("/opt/tritonserver", "/cache/triton")
    ]
    assert result.environment["PATH"].startswith("/opt/tritonserver/bin:/opt/halimede/bin:")
    assert result.environment["LD_LIBRARY_PATH"] == (
        "/opt/halimede/lib/python3.11/site-packages/nvidia_pytriton.libs:/opt/halimede/python/lib"
    )


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "nvcr.io/nvidia/tritonserver:26.09-py3",
        "nvcr.io/nvidia/tritonserver",
        "halimede-fetcher:1",
        "halimede@sha256:00",
        "halimede-fetch@sha256:00",
    ],
)
def test_other_images_are_unknown(image: str) -> None:
    """Other images, also of other versions, are never run."""
    assert TABLE.find(image) is None


def test_without_a_server_triton_is_unknown() -> None:
    """Without the wheel's Triton its image cannot be pulled."""
    table = ImageTable(software=SOFTWARE, server=TritonError("no stub for Python 3.14"))
    image = "nvcr.io/nvidia/tritonserver:24.10-py3"
    assert table.find(image) is None
    assert "no stub for Python 3.14" in table.explain_missing(image)
