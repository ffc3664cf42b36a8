"""Check, before anything is built or installed, that this machine fulfils the requirements.

``python -m localcluster.preflight PURPOSE [ENVIRONMENT]`` prints everything that is missing at
once, each with its remedy. The purpose is ``tools`` (what `make lint` needs) or ``cluster``; the
environment is the folder of the virtual environment.

It imports the standard library only, and runs on Python 3.7, so that it can report an old Python.
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
"""The glibc that Triton's wheel was built for: its platform tag is manylinux_2_35."""

MACHINES = ("x86_64", "aarch64")
"""The processors that have wheels of Triton and of Envoy."""

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
    missing = problems(purpose, environment)
    if not missing:
        return 0
    lines = ["This machine does not meet the requirements:"]
    for what, remedy in missing:
        lines += [f"  - {what}", f"      {remedy}"]
    sys.stderr.write("\n".join(lines) + "\n")
    return 1


def problems(purpose: str, environment: Path) -> list[Problem]:
    """Return everything that is missing for a purpose."""
    missing = [*check_system(), *check_python()]
    if platform.system() != "Linux":
        return missing
    missing += check_folders(purpose, environment)
    # Older versions cannot import the modules that the other checks use.
    if purpose == CLUSTER and sys.version_info >= PYTHONS[0]:
        missing += [*check_namespaces(), *check_go()]
    return missing


def check_system() -> list[Problem]:
    """Check the operating system, the processor, the C library and the kernel."""
    if platform.system() != "Linux":
        remedy = "Run this in a Linux virtual machine."
        return [Problem(f"Linux is needed; this is {platform.system()}.", remedy)]
    result = []
    if platform.machine() not in MACHINES:
        what = (
            f"The processor is {platform.machine()}; there are packages for {_either(MACHINES)}."
        )
        result.append(Problem(what, "Use another machine."))
    library = _libc()
    if _numbers(library.partition("glibc ")[2]) < GLIBC:
        what = f"glibc {_dotted(GLIBC)} or newer is needed; this is {library}."
        remedy = "Use a newer system: Debian 12, Ubuntu 22.04, Fedora 36 or later."
        result.append(Problem(what, remedy))
    if _numbers(platform.release()) < KERNEL:
        what = f"Linux {_dotted(KERNEL)} or newer is needed; this is {platform.release()}."
        result.append(Problem(what, "Install a newer kernel."))
    return result


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "another C library"
    except (ValueError, OSError):
        return "another C library"


def check_python() -> list[Problem]:
    """Check this interpreter: its version, venv and pip, and its shared library."""
    version = _dotted(sys.version_info[:2])
    if sys.version_info[:2] not in PYTHONS:
        versions = _either([_dotted(supported) for supported in PYTHONS])
        other = find_python()
        remedy = f"Install Python {versions} and set its path: make PYTHON=... ..."
        if other:
            remedy = f"Set the one to use: make PYTHON={other} ..."
        return [Problem(f"Python {versions} is needed; {sys.executable} is {version}.", remedy)]
    result = []
    missing = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
    if missing:
        what = f"{sys.executable} has no {' and no '.join(missing)}."
        result.append(Problem(what, f"Debian, Ubuntu: apt install python{version}-venv"))
    from localcluster.triton import find_libpython

    if find_libpython() is None:
        what = f"{sys.executable} has no shared libpython{version}, which Triton needs."
        remedy = f"Debian, Ubuntu: apt install libpython{version}; "
        remedy += f"pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install {version}"
        result.append(Problem(what, remedy))
    return result


def find_python() -> str | None:
    """Return the name of a supported Python on PATH, None without one."""
    for name in (f"python{_dotted(version)}" for version in reversed(PYTHONS)):
        # A name on PATH may be a stub that only reports that Python is missing.
        if shutil.which(name) and _runs([name, "-c", "import venv, ensurepip"]):
            return name
    return None


def check_folders(purpose: str, environment: Path) -> list[Problem]:
    """Check that the folders to write to are writable, large enough and not mounted noexec."""
    result: list[Problem] = []
    needed: dict[int, float] = {}
    places: dict[int, Path] = {}
    for place, gibibytes, remedy in _places(purpose, environment):
        folder = next(parent for parent in (place, *place.parents) if parent.exists())
        if not os.access(folder, os.W_OK):
            result.append(Problem(f"{folder} is read-only for this user.", remedy))
            continue
        if os.statvfs(folder).f_flag & os.ST_NOEXEC:
            what = f"{folder} is mounted noexec: programs cannot run there."
            result.append(Problem(what, remedy))
        device = folder.stat().st_dev
        places.setdefault(device, folder)
        needed[device] = needed.get(device, 0.0) + gibibytes
    for device, gibibytes in needed.items():
        free = shutil.disk_usage(places[device]).free / 2**30
        if free < gibibytes:
            what = f"{places[device]} has {free:.1f} GiB of disk space; {gibibytes:g} are needed."
            result.append(Problem(what, "Free some space, or use other folders (see README)."))
    return result


def _places(purpose: str, environment: Path) -> list[tuple[Path, float, str]]:
    """Return the folders to write to, the GiB that each needs, and how to use another folder."""
    home = Path.home()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache").absolute()
    state = Path(os.environ.get("XDG_STATE_HOME") or home / ".local/state").absolute()
    places = []
    if not (environment / "ready").exists():
        remedy = "Choose another folder for the virtual environment: make VENV=/folder ..."
        places.append((environment.absolute(), ENVIRONMENT_GIB, remedy))
    if purpose == CLUSTER:
        built = sys.version_info >= PYTHONS[0] and not _unbuilt()
        if not built:
            modules = Path(os.environ.get("GOPATH") or home / "go").absolute()
            places.append((modules, MODULES_GIB, "Choose another folder: export GOPATH=/folder"))
        remedy = "Choose another folder: export XDG_CACHE_HOME=/folder"
        places.append((cache, 0.0 if built else CACHE_GIB, remedy))
        remedy = "Choose another folder: export XDG_STATE_HOME=/folder"
        places.append((state, LOGS_GIB, remedy))
    return places


def check_namespaces() -> list[Problem]:
    """Make the namespaces of a cluster in a process that ends at once."""
    from localcluster import namespace

    error = namespace.try_out()
    return (
        []
        if error is None
        else [Problem(f"Namespaces cannot be created: {error.why}.", error.cure)]
    )


def check_go() -> list[Problem]:
    """Check that the programs that are not built yet can be built."""
    from localcluster import toolchain

    unbuilt = _unbuilt()
    if not unbuilt:
        return []
    needed = max(toolchain.version_needed(tool.module / "go.mod") for tool in unbuilt)
    if toolchain.installed_go(needed) or platform.machine() in toolchain.WHEEL_MACHINES:
        return []
    what = f"Go {_dotted(needed)} or newer is needed to build {len(unbuilt)} programs."
    return [Problem(what, "Install it from https://go.dev/dl and put it on PATH.")]


def _unbuilt() -> list[Tool]:
    from localcluster import build

    return [tool for tool in build.EVERYTHING if not build.folder_of(tool).is_dir()]


def _runs(command: list[str]) -> bool:
    finished = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    return finished.returncode == 0


def _numbers(text: str) -> tuple[int, ...]:
    """Parse the numbers that a version begins with.

    >>> _numbers("6.18.44-fc-v857")
    (6, 18, 44)
    """
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def _dotted(version: Iterable[int]) -> str:
    return ".".join(map(str, version))


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else ".venv")))
