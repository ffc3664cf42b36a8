"""The few Linux calls for namespaces that Python 3.11 has no function for."""

import ctypes
import os
import signal
from pathlib import Path

NEW_USER = 0x10000000
NEW_MOUNT = 0x00020000
NEW_IPC = 0x08000000
NEW_NETWORK = 0x40000000
NEW_PID = 0x20000000

MOUNT_REMOUNT_RECURSIVELY_PRIVATE = 0x4000 | 0x40000
"""MS_REC | MS_PRIVATE: mounts made here are not visible in other namespaces."""

MOUNT_BIND_RECURSIVELY = 0x1000 | 0x4000
"""MS_BIND | MS_REC: mount a folder, with the mounts in it, at a second path."""

_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(namespaces: int) -> None:
    """Move this process into new namespaces or raise ``OSError``."""
    _checked(_libc.unshare(namespaces), "unshare")


def enter(pid: int, namespaces: int) -> None:
    """Move this process into namespaces of another one; see setns(2). Raise ``OSError``.

    A process namespace takes effect for children only.
    """
    target = os.pidfd_open(pid)
    try:
        _checked(_libc.setns(target, namespaces), f"setns to process {pid}")
    finally:
        os.close(target)


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system or change a mount or raise ``OSError``."""
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode())
    _checked(_libc.mount(*arguments), f"mount {kind or source} at {target}")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends; see prctl(2)."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def map_to_root(uid: int, gid: int) -> None:
    """Map a user outside to root in the user namespace that this process has just made."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
