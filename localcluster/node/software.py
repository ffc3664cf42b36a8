"""This machine's virtual environment, at the path where Halimede's container images have one.

Volumes cover what lies below them: an emptyDir at /tmp hides everything below /tmp of the host.
Therefore no container depends on a path of the host that a pod may mount on. The virtual
environment, its interpreter and the programs' sources are bound below `HOME`, and a pod that
mounts a volume there breaks in the container image as well.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from localcluster.folders import SOURCE
from localcluster.node.filesystem import Step, StepKind, is_system
from localcluster.triton import find_libpython

HOME = "/opt/halimede"
"""Where each container image has its virtual environment; see Dockerfile."""


@dataclass(frozen=True, slots=True)
class Program:
    """One of the programs of this checkout; each has a container image."""

    name: str
    """The console command."""
    source: str
    """The folder with its package, in the checkout."""
    module: str
    """The module with its function."""
    function: str = "main"
    """What runs it: it returns the exit status, or ends the program."""

    @property
    def folder(self) -> str:
        """Where its source is inside a container."""
        return f"{HOME}/{self.source}"

    @property
    def script(self) -> str:
        """The content of the file that starts it."""
        return (
            f"#!{HOME}/bin/python3\nimport sys\nsys.path.insert(0, {self.folder!r})\n"
            f"from {self.module} import {self.function}\nsys.exit({self.function}())\n"
        )


OPERATOR = Program("halimede", "operator", "halimede.cli.main")
FETCHER = Program("halimede-fetch", "jobs/fetch", "halimede_fetch.main", "run")


@dataclass(frozen=True, slots=True)
class Software:
    """The software of this machine that containers run, beside its system folders."""

    environment: Path
    """The virtual environment."""
    base: Path
    """The Python installation that it was made from."""
    checkout: Path
    """The folder with the sources of the programs."""
    python: str
    """The name of the interpreter in the installation's `bin`: `python3.11`."""
    libpython: Path | None
    """The shared library of that Python; None if the interpreter contains it."""

    @classmethod
    def current(cls) -> Self:
        """Describe the Python that runs this program, and this checkout."""
        return cls(
            environment=Path(sys.prefix),
            base=Path(sys.base_prefix).resolve(),
            checkout=SOURCE.parent,
            python=f"python{sys.version_info.major}.{sys.version_info.minor}",
            libpython=find_libpython(),
        )

    @property
    def path(self) -> str:
        """The folder of programs, inside a container."""
        return f"{HOME}/bin"

    def variables(self, program: Program) -> dict[str, str]:
        """Return the environment variables that it needs to start and to find its modules."""
        result = {"PYTHONPATH": program.folder}
        if self.libpython and not is_system(self.libpython):
            result["LD_LIBRARY_PATH"] = f"{HOME}/libpython"
        return result

    def inside(self, path: Path) -> str:
        """Return the path inside a container of a path of the environment or of its Python.

        A path in a system folder is the same inside.
        """
        for folder, name in ((self.environment, ""), (self.base, "/python")):
            for form in (folder, folder.resolve()):
                if path.is_relative_to(form) and not is_system(path):
                    return f"{HOME}{name}/{path.relative_to(form)}"
        return str(path)

    def lay_out(self, folder: Path) -> list[Step]:
        """Write the few files that differ inside to `folder`; return the steps that bind all.

        The environment's own `bin` and `pyvenv.cfg` hold paths of the host, thus they are
        replaced.
        """
        programs = folder / "bin"
        for subfolder in (programs, folder / "lib", folder / "libpython"):
            subfolder.mkdir(parents=True, exist_ok=True)
        steps = [_bind(HOME, folder), _bind(f"{HOME}/lib", self.environment / "lib")]
        for program in (OPERATOR, FETCHER):
            (folder / program.source).mkdir(parents=True, exist_ok=True)
            steps.append(_bind(program.folder, self.checkout / program.source))
            (programs / program.name).write_text(program.script, encoding="utf-8")
            (programs / program.name).chmod(0o755)
        if not is_system(self.base):
            (folder / "python").mkdir(exist_ok=True)
            steps.append(_bind(f"{HOME}/python", self.base))
        home = self.inside(self.base / "bin")
        for name in {"python", "python3", self.python}:
            _link(programs / name, f"{home}/{self.python}")
        if self.libpython:
            _link(folder / "libpython" / self.libpython.name, self.inside(self.libpython))
        (folder / "pyvenv.cfg").write_text(self._configuration(home), encoding="utf-8")
        return steps

    def _configuration(self, home: str) -> str:
        """Return the environment's pyvenv.cfg with another home."""
        lines = (self.environment / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
        kept_lines = [line for line in lines if line.split("=")[0].strip() != "home"]
        return "\n".join([f"home = {home}", *kept_lines]) + "\n"


def _bind(target: str, source: Path) -> Step:
    return Step(StepKind.BIND, target, str(source), read_only=True)


def _link(place: Path, target: str) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(target)
