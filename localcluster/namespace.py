"""A user, network, process, mount and IPC namespace for one cluster, and its process 1.

Everything a cluster runs is a descendant of its process 1. When that ends, for whatever reason,
the kernel kills all the others and takes the network away: nothing can be left behind.
"""

import contextlib
import json
import os
import select
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from localcluster import syscalls

STAY = b"+"
"""Written to the lifeline, it lets the cluster outlive the process that started it."""

_SHARED_MEMORY = Path("/dev") / "shm"

NAMESPACES = (
    syscalls.NEW_USER
    | syscalls.NEW_NETWORK
    | syscalls.NEW_PID
    | syscalls.NEW_MOUNT
    | syscalls.NEW_IPC
)


class NamespaceError(RuntimeError):
    """The kernel does not let this user make namespaces."""

    def __init__(self, why: str, cure: str) -> None:
        """Keep the kernel's error, and the remedy."""
        self.why = why
        self.cure = cure
        super().__init__(f"{why}. {cure}")


def isolate(memory: Path) -> None:
    """Move this process into new namespaces, as root there; its next child is process 1.

    ``memory``, an existing folder, becomes a file system in memory that only this cluster sees.
    Raise ``NamespaceError``. The process must have one thread only.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        syscalls.unshare(NAMESPACES)
        syscalls.map_to_root(uid, gid)
        syscalls.mount("none", Path("/"), flags=syscalls.MOUNT_REMOUNT_RECURSIVELY_PRIVATE)
        syscalls.mount("memory", memory, "tmpfs")
        _replace_shared_memory()
    except OSError as error:
        raise NamespaceError(error.strerror or str(error), _switch()) from error


def show_own_processes() -> None:
    """Mount the /proc of the new process namespace. Raise ``NamespaceError``."""
    try:
        syscalls.mount("proc", Path("/proc"), "proc")
    except OSError as error:
        raise NamespaceError(error.strerror or str(error), _switch()) from error


def try_out() -> NamespaceError | None:
    """Make the namespaces of a cluster in a process that ends at once; return the error."""
    answers, writer = os.pipe()
    with tempfile.TemporaryDirectory() as memory:
        child = os.fork()
        if child == 0:
            _isolate_and_exit(Path(memory), writer)
        os.close(writer)
        os.waitpid(child, 0)
    with os.fdopen(answers) as said:
        text = said.read()
    return NamespaceError(*json.loads(text)) if text else None


def _isolate_and_exit(memory: Path, writer: int) -> NoReturn:
    try:
        isolate(memory)
        first = os.fork()
        if first == 0:
            show_own_processes()
            os._exit(0)
        os.waitpid(first, 0)
    except NamespaceError as error:
        os.write(writer, json.dumps([error.why, error.cure]).encode())
    except OSError as error:
        os.write(writer, json.dumps([str(error), _switch()]).encode())
    finally:
        os._exit(0)


def _replace_shared_memory() -> None:
    """Give the cluster a /dev/shm of its own: programs that share memory by name stay apart.

    Names of shared memory are names of files. Folders stay visible, because the checkout, the
    cache or Python may lie in one.
    """
    with contextlib.ExitStack() as opened:
        folders: dict[Path, int] = {}
        links: dict[Path, Path] = {}
        for entry in _SHARED_MEMORY.iterdir():
            if entry.is_symlink():
                links[entry] = entry.readlink()
            elif entry.is_dir():
                # Another program may remove it meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    folders[entry] = os.open(entry, os.O_PATH | os.O_CLOEXEC)
                    opened.callback(os.close, folders[entry])
        syscalls.mount("shm", _SHARED_MEMORY, "tmpfs")
        for folder, descriptor in folders.items():
            folder.mkdir()
            # The path now leads to the new mount, the descriptor to the folder that it hides.
            hidden = f"/proc/self/fd/{descriptor}"
            syscalls.mount(hidden, folder, flags=syscalls.MOUNT_BIND_RECURSIVELY)
        for link, target in links.items():
            link.symlink_to(target)


def become_first_process(lifeline: int, work: Callable[[], None]) -> NoReturn:
    """Run as process 1 of the new namespace: run ``work`` in a child, and reap ended processes.

    Call `show_own_processes` first.

    End when the child ends, or when the pipe ``lifeline`` is closed on the other side, which the
    kernel does for a process that dies.
    """
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    worker = os.fork()
    if worker == 0:
        _run_and_exit(work)
    watched = [woken, lifeline]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if lifeline in ready:
            if os.read(lifeline, 1) != STAY:
                os._exit(0)
            watched.remove(lifeline)
        if woken in ready:
            os.read(woken, 4096)
            if worker in _reap():
                os._exit(1)


def _run_and_exit(work: Callable[[], None]) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        work()
    finally:
        os._exit(1)


def _reap() -> set[int]:
    """Reap every child that has ended, adopted ones included; return their ids."""
    ended: set[int] = set()
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.add(pid)


def _switch() -> str:
    """Return the remedy: the setting that forbids user namespaces, as far as it can be read."""
    switches = {
        "user.max_user_namespaces": ("0", "10000"),
        "kernel.unprivileged_userns_clone": ("0", "1"),
        "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    }
    for name, (forbids, allows) in switches.items():
        file = Path("/proc/sys", *name.split(".", 1))
        if file.exists() and file.read_text().strip() == forbids:
            return (
                f"The kernel forbids user namespaces: {name} is {forbids}. "
                f"Allow them with `sudo sysctl -w {name}={allows}`."
            )
    return (
        "The local cluster needs user namespaces (user, network, process, mount). No sysctl "
        "forbids them: if this runs in a container, its seccomp profile or masked /proc does "
        "(for example `docker run --security-opt seccomp=unconfined "
        "--security-opt systempaths=unconfined`)."
    )
