"""What the operator's own settings say to rendering."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Platform:
    """The images that rendered pods use."""

    halimede_image: str
    """Halimede's own image: its `fetch` command fills the model volume."""
    triton_repository: str = "nvcr.io/nvidia/tritonserver"
    """Where `runtime.version` finds its image `<repository>:<version>-py3`."""
