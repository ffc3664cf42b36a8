"""Triton without its container: the server that the nvidia-pytriton wheel carries.

The wheel 0.7.0 holds tritonserver 2.51.0, the one of container 24.10, for the CPU, with the
Python backend and the local response cache. Laid out as in the container it finds its backends
and caches by its own defaults.
"""

import importlib.metadata
import importlib.util
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

HOME = "/opt/tritonserver"
"""Where Triton's container image has the server, and where it looks for backends and caches."""

VERSION = "24.10"
"""The container version that carries the same server (2.51.0)."""


class TritonError(RuntimeError):
    """This Python installation cannot run the wheel's Triton; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Triton:
    """A server laid out and ready to be bound at `HOME`."""

    tree: Path
    """The folder with bin/, backends/ and caches/."""
    libraries: tuple[Path, ...]
    """What LD_LIBRARY_PATH must name: the wheel's libraries and those of this Python."""


def prepare(cache: Path) -> Triton:
    """Lay the wheel's Triton out below `cache`, once per wheel and Python version.

    Raise `TritonError` if the wheel is missing or has no stub for this version of Python.
    """
    packages = _site_packages()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    version = importlib.metadata.version("nvidia-pytriton")
    tree = cache / f"tritonserver-{version}-python{python}"
    if not tree.is_dir():
        _lay_out(packages / "pytriton" / "tritonserver", tree, python)
    return Triton(tree, (packages / "nvidia_pytriton.libs", _python_libraries()))


def _site_packages() -> Path:
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise TritonError("nvidia-pytriton is not installed: install the dependency group `local`")
    return Path(spec.submodule_search_locations[0]).parent


def _lay_out(wheel: Path, tree: Path, python: str) -> None:
    stub = wheel / "python_backend_stubs" / python / "triton_python_backend_stub"
    if not stub.exists():
        versions = ", ".join(sorted(path.name for path in stub.parent.parent.iterdir()))
        raise TritonError(
            f"the wheel's Triton has no stub for Python {python}, only for {versions}"
        )
    tree.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and renamed, so that an incomplete tree is never used.
    with tempfile.TemporaryDirectory(dir=tree.parent, prefix=".tritonserver-") as folder:
        made = Path(folder, "tree")
        for part in ("bin", "backends", "caches"):
            shutil.copytree(wheel / part, made / part)
        shutil.copy2(stub, made / "backends" / "python" / stub.name)
        for program in (made / "bin" / "tritonserver", made / "backends" / "python" / stub.name):
            program.chmod(0o755)
        try:
            made.rename(tree)
        except OSError:
            # Another process was quicker; its tree is the same.
            if not tree.is_dir():
                raise


def _python_libraries() -> Path:
    """Return the folder of libpythonX.Y.so, which the Python backend's stub is linked to."""
    if library := find_libpython():
        return library.parent
    raise TritonError(
        f"{sys.base_prefix} has no shared libpython, which Triton's Python backend needs: "
        "use a Python with one (`uv python install` and most distributions give one)"
    )


def find_libpython() -> Path | None:
    """Return this Python's shared library; None if it has none."""
    names = ("INSTSONAME", "LIBDIR", "MULTIARCH")
    library, folder, architecture = sysconfig.get_config_vars(*names)
    if ".so" not in str(library):
        return None
    base = Path(sys.base_prefix).resolve()
    # A relocated Python still reports the folder that it was built for.
    for candidate in (base / "lib", Path(folder), Path(folder, architecture or ".")):
        if (candidate / library).exists():
            return candidate / str(library)
    return None
