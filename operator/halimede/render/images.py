"""The operator's settings that rendering and validation need."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Platform:
    """The images that rendered pods use, and what the operator demands of specs."""

    halimede_image: str
    """Halimede's own image: its `fetch` command fills the model volume."""
    triton_repository: str = "nvcr.io/nvidia/tritonserver"
    """The repository of `runtime.version`'s image `<repository>:<version>-py3`."""
    sha256_required: bool = False
    """Whether specs without `model.sha256` are invalid."""
