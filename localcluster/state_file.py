"""The stored state of each cluster, and whether the cluster still runs.

A cluster's process 1 holds a lock on a file beside the cluster's folder. The kernel releases it
when the process ends, however it ends. A stored process id could be that of another process.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from localcluster import folders
from localcluster.access import ClusterError

FORGET_AFTER = 24 * 3600
"""Seconds for which the logs of a cluster that ended are kept."""


@dataclass(frozen=True, slots=True)
class StateFile:
    """What is needed to reach a running cluster."""

    pid: int
    """Its process 1, as numbered outside."""
    ports: Mapping[str, int]
    """The ports outside: ``api``, ``gateway``, ``prometheus``."""
    binaries: str
    bound: bool

    def write(self, directory: Path) -> None:
        """Write the state into the cluster's folder."""
        (directory / "cluster.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """Return the stored state, or None if the cluster is only starting."""
        try:
            return cls(**json.loads((directory / "cluster.json").read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            return None


def claim(name: str) -> tuple[Path, int]:
    """Return an empty folder for a new cluster, and the lock that marks it as running.

    The lock is held as long as the descriptor is open in some process. Raise ``ClusterError`` if a
    cluster of that name runs.
    """
    directory = folders.clusters() / name
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Another process that calls `is_running` holds the lock for an instant.
    deadline = time.monotonic() + 0.5
    while (lock := _lock(directory)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if lock is None:
        raise ClusterError(
            f"a cluster named {name} is already running: choose another name, or end it with "
            f"`python -m localcluster down --name {name}`"
        )
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "logs").mkdir(parents=True)
    _forget_old()
    return directory, lock


def is_running(directory: Path) -> bool:
    """Return whether the cluster with this folder has processes."""
    if not _lock_file(directory).exists():
        return False
    lock = _lock(directory)
    if lock is not None:
        os.close(lock)
    return lock is None


def running() -> Iterator[Path]:
    """Return the folders of the clusters that run."""
    for file in sorted(folders.clusters().glob("*.lock")):
        if is_running(file.with_suffix("")):
            yield file.with_suffix("")


def forget(directory: Path) -> None:
    """Remove the files of an ended cluster, except its logs."""
    for entry in directory.iterdir():
        if entry.name == "logs":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()


def _forget_old() -> None:
    for directory in folders.clusters().iterdir():
        if not directory.is_dir() or is_running(directory):
            continue
        if directory.stat().st_mtime < time.time() - FORGET_AFTER:
            shutil.rmtree(directory, ignore_errors=True)
            _lock_file(directory).unlink(missing_ok=True)


def _lock_file(directory: Path) -> Path:
    return directory.with_name(directory.name + ".lock")


def _lock(directory: Path) -> int | None:
    """Take the lock, or return None if a process holds it."""
    lock = os.open(_lock_file(directory), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
