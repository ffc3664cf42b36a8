"""The Linux calls that only the node needs, beside those of `localcluster.syscalls`.

Each raises `OSError` with the path concerned. The man pages of section 2 are the reference.
"""

import ctypes
import os
from functools import cache
from pathlib import Path

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_BIND = 0x1000
MS_REC = 0x4000

CLONE_NEWUTS = 0x0400_0000

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MNT_DETACH = 2
_MOUNT_ATTR_RDONLY = 1
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


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object, about: str = "") -> None:
    if getattr(_libc(), name)(*arguments) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}", about or None)


def enter_namespace(descriptor: int) -> None:
    """Move the calling thread into the namespace that an open descriptor refers to."""
    _call("setns", descriptor, 0)


def unmount(target: str) -> None:
    """Detach a mount from the tree at once; it is removed after its last use."""
    _call("umount2", target.encode(), _MNT_DETACH, about=target)


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
        about=target,
    )


def pivot_root(new_root: str) -> None:
    """Make a mount the root of this mount namespace, and detach the old root."""
    os.chdir(new_root)
    # Stacking the old root on the new one needs no directory for it, see pivot_root(2).
    _call("pivot_root", b".", b".", about=new_root)
    unmount(".")
    os.chdir("/")


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
