"""The Linux calls that Python 3.11 has no function for; see their man pages of section 2.

Each raises `OSError` if the kernel refuses it.
"""

import ctypes
import os
import signal
from pathlib import Path

NEW_USER = 0x1000_0000
NEW_MOUNT = 0x0002_0000
NEW_UTS = 0x0400_0000
NEW_IPC = 0x0800_0000
NEW_NETWORK = 0x4000_0000
NEW_PID = 0x2000_0000

MS_NOSUID = 0x2
MS_NODEV = 0x4

MOUNT_REMOUNT_RECURSIVELY_PRIVATE = 0x4000 | 0x40000
"""MS_REC | MS_PRIVATE: mounts made here are not visible in other namespaces."""

MOUNT_BIND_RECURSIVELY = 0x1000 | 0x4000
"""MS_BIND | MS_REC: mount a folder, with the mounts in it, at a second path."""

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MNT_DETACH = 2
_MOUNT_ATTR_RDONLY = 1
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
# The same on every architecture, as all calls added since Linux 5.1 are.
_SYS_MOUNT_SETATTR = 442


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


_libc = ctypes.CDLL(None, use_errno=True)


def unshare(namespaces: int) -> None:
    """Move this process into new namespaces."""
    _call("unshare", namespaces)


def enter(pid: int, namespaces: int) -> None:
    """Move this process into namespaces of another one.

    A process namespace takes effect for children only.
    """
    target = os.pidfd_open(pid)
    try:
        _call("setns", target, namespaces, what=f"setns to process {pid}")
    finally:
        os.close(target)


def enter_namespace(descriptor: int) -> None:
    """Move the calling thread into the namespace that an open descriptor refers to."""
    _call("setns", descriptor, 0)


def map_to_root(uid: int, gid: int) -> None:
    """Map a user outside to root in the user namespace that this process has just made."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def mount(source: str, target: Path, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system or change a mount."""
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode())
    _call("mount", *arguments, what=f"mount {kind or source} at {target}")


def unmount(target: str) -> None:
    """Detach a mount from the tree at once; it is removed after its last use."""
    _call("umount2", target.encode(), _MNT_DETACH, path=target)


def make_read_only(target: str, *, recursive: bool = True) -> None:
    """Make a mount, and by default all below it, read-only.

    `mount_setattr` adds the one flag and keeps the rest: a remount would have to repeat the flags
    that a user namespace locks.
    """
    attributes = _MountAttributes(attr_set=_MOUNT_ATTR_RDONLY)
    _call(
        "syscall",
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_long(_AT_FDCWD),
        target.encode(),
        ctypes.c_long(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
        path=target,
    )


def pivot_root(new_root: str) -> None:
    """Make a mount the root of this mount namespace, and detach the old root."""
    os.chdir(new_root)
    # Stacking the old root on the new one needs no directory for it, see pivot_root(2).
    _call("pivot_root", b".", b".", path=new_root)
    unmount(".")
    os.chdir("/")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends; see prctl(2)."""
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def forbid_new_privileges() -> None:
    """Prevent executed programs from gaining privileges (allowPrivilegeEscalation: false)."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def drop_capabilities() -> None:
    """Remove every capability from the bounding set: the next program starts with none."""
    # Bytes, because the module of a text encoding cannot be imported in a container's root.
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_bytes())
    for capability in range(last + 1):
        _call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)


def set_hostname(name: str) -> None:
    """Set the hostname of this UTS namespace."""
    encoded = name.encode()
    _call("sethostname", encoded, ctypes.c_size_t(len(encoded)))


def _call(name: str, *arguments: object, what: str = "", path: str = "") -> None:
    if getattr(_libc, name)(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what or name}: {os.strerror(code)}", path or None)
