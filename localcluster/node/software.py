"""This machine's virtual environment, at the path where Halimede's container image has one.

Volumes cover what lies below them: an emptyDir at /tmp hides everything below /tmp of the host.
Therefore no container depends on a path of the host that a pod may mount on. The virtual
environment, its interpreter and the operator's source are bound below `HOME`, and a pod that
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
"""Where the container image has its virtual environment; see Dockerfile."""

_SCRIPT = f"""#!{HOME}/bin/python3
import sys
sys.path.insert(0, "{HOME}/operator")
from halimede.cli.main import main
sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Software:
    """The software of this machine that containers run, beside its system folders."""

    environment: Path
    """The virtual environment."""
    base: Path
    """The Python installation that it was made from."""
    operator: Path
    """The folder with the package `halimede`."""
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
            operator=SOURCE.parent / "operator",
            python=f"python{sys.version_info.major}.{sys.version_info.minor}",
            libpython=find_libpython(),
        )

    @property
    def path(self) -> str:
        """The folder of programs, inside a container."""
        return f"{HOME}/bin"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that the interpreter needs to start and to find modules."""
        result = {"PYTHONPATH": f"{HOME}/operator"}
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
        for subfolder in (programs, *(folder / name for name in ("lib", "operator", "libpython"))):
            subfolder.mkdir(parents=True, exist_ok=True)
        steps = [_bind(HOME, folder), _bind(f"{HOME}/lib", self.environment / "lib")]
        steps.append(_bind(f"{HOME}/operator", self.operator))
        if not is_system(self.base):
            (folder / "python").mkdir(exist_ok=True)
            steps.append(_bind(f"{HOME}/python", self.base))
        home = self.inside(self.base / "bin")
        for name in {"python", "python3", self.python}:
            _link(programs / name, f"{home}/{self.python}")
        if self.libpython:
            _link(folder / "libpython" / self.libpython.name, self.inside(self.libpython))
        (programs / "halimede").write_text(_SCRIPT, encoding="utf-8")
        (programs / "halimede").chmod(0o755)
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
