"""Check, before anything is built or installed, that this machine can do what is asked of it.

``python -m localcluster.preflight PURPOSE [ENVIRONMENT]`` prints everything that is missing at
once, each with its cure. The purpose is ``tools`` (what `make lint` needs) or ``cluster``; the
environment is the folder of the virtual environment.

It imports the standard library only, and starts on Python 3.7, to be able to say that it is old.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from localcluster.build import Tool

CLUSTER = "cluster"

PYTHONS = ((3, 11), (3, 12))
"""The versions that every pinned package has a wheel for: numpy 1.26, which Triton's wheel needs,
has none for Python 3.13."""

GLIBC = (2, 35)
"""What Triton's wheel was built for: its platform tag is manylinux_2_35."""

MACHINES = ("x86_64", "aarch64")
"""What there are wheels of Triton and of Envoy for."""

KERNEL = (5, 12)
"""The first Linux with mount_setattr(2)."""

ENVIRONMENT_GIB = 2.0
"""Disk space for the virtual environment: 1.2 GB of packages, and room to unpack them."""

MODULES_GIB = 3.0
"""Disk space for the sources of the cluster's programs: Go's modules."""

CACHE_GIB = 6.0
"""Disk space for Go's build cache, for the programs, and for Triton's server."""

LOGS_GIB = 1.0
"""Disk space for the logs and volumes of one cluster."""


class Problem(NamedTuple):
    """Something that is missing, and how to get it."""

    what: str
    cure: str


def main(purpose: str, environment: Path) -> int:
    """Print what is missing; return the exit status."""
    found = problems(purpose, environment)
    if not found:
        return 0
    lines = ["This machine cannot do that yet:"]
    for what, cure in found:
        lines += [f"  - {what}", f"      {cure}"]
    sys.stderr.write("\n".join(lines) + "\n")
    return 1


def problems(purpose: str, environment: Path) -> list[Problem]:
    """Return all that is missing for a purpose."""
    found = [*check_system(), *check_python()]
    if platform.system() != "Linux":
        return found
    found += check_folders(purpose, environment)
    # Older versions cannot import the modules that the other checks use.
    if purpose == CLUSTER and sys.version_info >= PYTHONS[0]:
        found += [*check_namespaces(), *check_go()]
    return found


def check_system() -> list[Problem]:
    """Check the operating system, the processor, the C library and the kernel."""
    if platform.system() != "Linux":
        cure = "Run this in a Linux virtual machine."
        return [Problem(f"Linux is needed; this is {platform.system()}.", cure)]
    found = []
    if platform.machine() not in MACHINES:
        what = (
            f"The processor is {platform.machine()}; there are packages for {_either(MACHINES)}."
        )
        found.append(Problem(what, "Use another machine."))
    library = _libc()
    if _numbers(library.partition("glibc ")[2]) < GLIBC:
        what = f"glibc {_dotted(GLIBC)} or newer is needed; this is {library}."
        cure = "Use a newer system: Debian 12, Ubuntu 22.04, Fedora 36 or later."
        found.append(Problem(what, cure))
    if _numbers(platform.release()) < KERNEL:
        what = f"Linux {_dotted(KERNEL)} or newer is needed; this is {platform.release()}."
        found.append(Problem(what, "Install a newer kernel."))
    return found


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "another C library"
    except (ValueError, OSError):
        return "another C library"


def check_python() -> list[Problem]:
    """Check this interpreter: its version, venv and pip, and its shared library."""
    version = _dotted(sys.version_info[:2])
    if sys.version_info[:2] not in PYTHONS:
        wanted = _either([_dotted(one) for one in PYTHONS])
        other = find_python()
        cure = f"Install Python {wanted} and say where it is: make PYTHON=... ..."
        if other:
            cure = f"Say which one to use: make PYTHON={other} ..."
        return [Problem(f"Python {wanted} is needed; {sys.executable} is {version}.", cure)]
    found = []
    missing = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
    if missing:
        what = f"{sys.executable} has no {' and no '.join(missing)}."
        found.append(Problem(what, f"Debian, Ubuntu: apt install python{version}-venv"))
    from localcluster.triton import find_libpython  # noqa: PLC0415 - needs a Python that is new enough

    if find_libpython() is None:
        what = f"{sys.executable} has no shared libpython{version}, which Triton needs."
        cure = f"Debian, Ubuntu: apt install libpython{version}; "
        cure += f"pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install {version}"
        found.append(Problem(what, cure))
    return found


def find_python() -> str | None:
    """Return the name of another Python on PATH that fits."""
    for name in (f"python{_dotted(version)}" for version in reversed(PYTHONS)):
        # A name on PATH may be a stub that only says that there is none.
        if shutil.which(name) and _runs([name, "-c", "import venv, ensurepip"]):
            return name
    return None


def check_folders(purpose: str, environment: Path) -> list[Problem]:
    """Check that what is written has a place, enough of it, and may be executed there."""
    found: list[Problem] = []
    needed: dict[int, float] = {}
    places: dict[int, Path] = {}
    for place, gibibytes, cure in _places(purpose, environment):
        folder = next(one for one in (place, *place.parents) if one.exists())
        if not os.access(folder, os.W_OK):
            found.append(Problem(f"{folder} is read-only for this user.", cure))
            continue
        if os.statvfs(folder).f_flag & os.ST_NOEXEC:
            what = f"{folder} is mounted noexec: programs cannot run there."
            found.append(Problem(what, cure))
        device = folder.stat().st_dev
        places.setdefault(device, folder)
        needed[device] = needed.get(device, 0.0) + gibibytes
    for device, gibibytes in needed.items():
        free = shutil.disk_usage(places[device]).free / 2**30
        if free < gibibytes:
            what = f"{places[device]} has {free:.1f} GiB of disk space; {gibibytes:g} are needed."
            found.append(Problem(what, "Free some. The README says how to use other folders."))
    return found


def _places(purpose: str, environment: Path) -> list[tuple[Path, float, str]]:
    """Return the folders that are written to, the GiB that go there, and another way."""
    home = Path.home()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache").absolute()
    state = Path(os.environ.get("XDG_STATE_HOME") or home / ".local/state").absolute()
    found = []
    if not (environment / "ready").exists():
        cure = "Choose another folder for the virtual environment: make VENV=/folder ..."
        found.append((environment.absolute(), ENVIRONMENT_GIB, cure))
    if purpose == CLUSTER:
        built = sys.version_info >= PYTHONS[0] and not _unbuilt()
        if not built:
            modules = Path(os.environ.get("GOPATH") or home / "go").absolute()
            found.append((modules, MODULES_GIB, "Choose another folder: export GOPATH=/folder"))
        cure = "Choose another folder: export XDG_CACHE_HOME=/folder"
        found.append((cache, 0.0 if built else CACHE_GIB, cure))
        cure = "Choose another folder: export XDG_STATE_HOME=/folder"
        found.append((state, LOGS_GIB, cure))
    return found


def check_namespaces() -> list[Problem]:
    """Make the namespaces of a cluster in a process that ends at once."""
    from localcluster import namespace  # noqa: PLC0415 - needs a Python that is new enough

    error = namespace.try_out()
    return (
        [] if error is None else [Problem(f"Namespaces cannot be made: {error.why}.", error.cure)]
    )


def check_go() -> list[Problem]:
    """Check that what is not built yet can be built."""
    from localcluster import toolchain  # noqa: PLC0415 - needs a Python that is new enough

    unbuilt = _unbuilt()
    if not unbuilt:
        return []
    needed = max(toolchain.version_needed(tool.module / "go.mod") for tool in unbuilt)
    if toolchain.installed_go(needed) or platform.machine() in toolchain.WHEEL_MACHINES:
        return []
    what = f"Go {_dotted(needed)} or newer is needed to build {len(unbuilt)} programs."
    return [Problem(what, "Install it from https://go.dev/dl and put it on PATH.")]


def _unbuilt() -> list[Tool]:
    from localcluster import build  # noqa: PLC0415 - needs a Python that is new enough

    return [tool for tool in build.EVERYTHING if not build.folder_of(tool).is_dir()]


def _runs(command: list[str]) -> bool:
    finished = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return finished.returncode == 0


def _numbers(text: str) -> tuple[int, ...]:
    """Read the numbers that a version begins with.

    >>> _numbers("6.18.44-fc-v857")
    (6, 18, 44)
    """
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _dotted(version: Iterable[int]) -> str:
    return ".".join(map(str, version))


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else ".venv")))
