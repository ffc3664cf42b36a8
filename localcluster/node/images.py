"""Which command of this machine stands for which container image."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from localcluster import triton
from localcluster.node.filesystem import Step, StepKind
from localcluster.node.software import FETCHER, OPERATOR, Program, Software

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = {program.name: program for program in (OPERATOR, FETCHER)}
"""The programs of the checkout, by the last part of their images' repositories."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image of the table provides to a container."""

    name: str
    """The name in the table, reported as the image's id."""
    entrypoint: tuple[str, ...]
    """What runs when the container has no command; empty where its arguments are the command."""
    environment: Mapping[str, str]
    """The image's own variables; those of the container override them."""
    steps: tuple[Step, ...] = field(default=())
    """What is mounted beside the file system that all images share."""


class ImageTable:
    """The images that the process node can run: Triton, and the programs of Halimede."""

    def __init__(self, *, software: Software, server: triton.Triton | triton.TritonError) -> None:
        """Use the programs of `software`; `server` may be the reason why there is no Triton."""
        self._software = software
        self._server = server

    def find(self, image: str) -> Image | None:
        """Return the image that a name refers to, None if there is none.

        The registry and the path before the last part are ignored. `tritonserver` has one tag,
        the version that the wheel carries; `halimede` and `halimede-fetch` have every tag, all of
        them this checkout.
        """
        repository, _, tag = image.rpartition("/")[2].partition(":")
        if (program := _PROGRAMS.get(repository)) and "@" not in image:
            return self._halimede(program)
        if (repository, tag) == ("tritonserver", f"{triton.VERSION}-py3"):
            return self._triton()
        return None

    def explain_missing(self, image: str) -> str:
        """Return why an image is missing, and which images there are."""
        if isinstance(self._server, triton.TritonError) and "tritonserver" in image:
            return f'the process node has no image "{image}": {self._server}'
        return (
            f'the process node has no image "{image}": it pulls none and knows only '
            f"*/tritonserver:{triton.VERSION}-py3, */halimede:* and */halimede-fetch:*"
        )

    def _halimede(self, program: Program) -> Image:
        folder, variables = self._software.path, self._software.variables(program)
        environment = {"PATH": f"{folder}:{_PATH}", **variables}
        return Image(program.name, (f"{folder}/{program.name}",), environment)

    def _triton(self) -> Image | None:
        if isinstance(self._server, triton.TritonError):
            return None
        libraries = map(self._software.inside, self._server.libraries)
        environment = {
            "PATH": f"{triton.HOME}/bin:{self._software.path}:{_PATH}",
            "LD_LIBRARY_PATH": ":".join(libraries),
        }
        tree = Step(StepKind.BIND, triton.HOME, str(self._server.tree), read_only=True)
        # The image's entry point executes its arguments, so they are the command.
        return Image(f"tritonserver:{triton.VERSION}-py3", (), environment, (tree,))
