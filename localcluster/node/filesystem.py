"""The file system of every container before its volumes, as a list of mount steps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_SYSTEM = ("bin", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr", "nix", "gnu")
"""Programs and libraries of the host; the last two are those of NixOS and Guix."""
_TEMPORARY = ("tmp", "var/tmp")
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
_SHARED_MEMORY = "shm"
HOME = f"/{_TEMPORARY[0]}"
"""A folder that every container has, and may write to unless its root is read-only."""

_WRITABLE_BY_ALL = "1777"


class StepKind(StrEnum):
    """What the shim does at a step's target."""

    BIND = "bind"
    """Bind the source at the target, which is created."""
    DIRECTORY = "directory"
    """Make a directory; the source is its mode, in octal."""
    LINK = "link"
    """Make a symbolic link to the source."""
    PROC = "proc"
    """Mount /proc of the new process namespace."""
    TMPFS = "tmpfs"
    """Mount an empty file system in memory; the source holds its options."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step in building a container's file system."""

    kind: StepKind
    target: str
    """An absolute path inside the container."""
    source: str = ""
    read_only: bool = False


def common_steps(software: Iterable[Step]) -> list[Step]:
    """Return the steps that all containers share.

    `software` holds the steps that bind `localcluster.node.software`.

    The host's programs and libraries are visible read-only. Processes, devices, shared memory and
    everything else are the container's own.
    """
    return [
        *_system(),
        Step(StepKind.PROC, "/proc"),
        Step(StepKind.BIND, "/sys", "/sys", read_only=True),
        *_devices(),
        Step(StepKind.DIRECTORY, "/run", "755"),
        *(Step(StepKind.DIRECTORY, f"/{name}", _WRITABLE_BY_ALL) for name in _TEMPORARY),
        *software,
    ]


def is_system(path: Path) -> bool:
    """Return whether a path is below a folder that every container sees at its own path."""
    return any(path.is_relative_to(Path("/", name)) for name in _SYSTEM)


def _system() -> Iterator[Step]:
    for name in _SYSTEM:
        path = Path("/", name)
        if path.is_symlink():
            yield Step(StepKind.LINK, str(path), str(path.readlink()))
        elif path.is_dir():
            yield Step(StepKind.BIND, str(path), str(path), read_only=True)


def _devices() -> Iterator[Step]:
    for name in _DEVICES:
        device = f"/dev/{name}"
        yield Step(StepKind.BIND, device, device)
    yield Step(StepKind.LINK, "/dev/fd", "/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        yield Step(StepKind.LINK, f"/dev/{name}", f"/proc/self/fd/{number}")
    # 64 MiB, as in container runtimes: a program that needs more fails there and here.
    yield Step(StepKind.TMPFS, f"/dev/{_SHARED_MEMORY}", f"mode={_WRITABLE_BY_ALL},size=64m")
