"""The process between the agent and a container: it makes the sandbox, then waits for its end.

`python -S -m localcluster.node.shim run|enter SPEC STATUS`: SPEC is a descriptor with a JSON
document (see `sandbox.start` and `sandbox.run_beside`), STATUS one to report on: a line
`{"pid": …}` with the pid of the container's first process, or `{"error": …}` if it could not be
started; end of file means that the program runs. It exits with the container's exit code, 128 +
the signal if one ended it.

It imports the standard library only, because it starts for every container and every exec probe.
In the container's root it imports nothing more, because its own Python may not be there.
"""

import errno
import fcntl
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, NoReturn

from localcluster import syscalls

_NAMESPACES_OF_A_PROCESS = ("ipc", "uts", "net", "pid", "mnt")


def main(mode: str, spec: int, status: int) -> NoReturn:
    """Run a container, or a further program in a running one, and exit with its exit code."""
    syscalls.die_with_parent()
    # The kernel closes it when the program is executed: the agent sees the end of file.
    fcntl.fcntl(status, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    with os.fdopen(spec, encoding="utf-8") as file:
        request: dict[str, Any] = json.load(file)
    try:
        if mode == "run":
            _enter_new_namespaces(request["netns"])
        else:
            _enter_namespaces_of(request["pid"])
        child = os.fork()
        if child == 0:
            _become_container(request, own_root=mode == "run")
    except OSError as error:
        _report(status, error=_sentence(error))
        os._exit(128)
    _report(status, pid=child)
    os.close(status)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


def _enter_new_namespaces(netns: int | None) -> None:
    if netns is not None:
        syscalls.enter_namespace(netns)
    syscalls.unshare(syscalls.NEW_MOUNT | syscalls.NEW_PID | syscalls.NEW_IPC | syscalls.NEW_UTS)


def _enter_namespaces_of(pid: int) -> None:
    # All are opened first: past the mount namespace, /proc is another one.
    descriptors = [
        os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        for name in _NAMESPACES_OF_A_PROCESS
    ]
    for descriptor in descriptors:
        syscalls.enter_namespace(descriptor)


def _become_container(request: dict[str, Any], *, own_root: bool) -> NoReturn:
    """Build the file system, drop privileges as requested, and execute the program."""
    status = int(sys.argv[3])
    try:
        syscalls.die_with_parent()
        if own_root:
            _build_root(request["root"], request["steps"], read_only=request["read_only_root"])
            syscalls.set_hostname(request["hostname"])
        os.chdir(request["directory"])
        if request["drop_capabilities"]:
            syscalls.drop_capabilities()
        if request["no_new_privileges"]:
            syscalls.forbid_new_privileges()
        _execute(request["arguments"], request["environment"])
    except OSError as error:
        _report(status, error=_sentence(error))
    os._exit(128)


def _build_root(root: str, steps: list[dict[str, Any]], *, read_only: bool) -> None:
    syscalls.mount("none", Path("/"), flags=syscalls.MOUNT_REMOUNT_RECURSIVELY_PRIVATE)
    syscalls.mount(
        "tmpfs", Path(root), "tmpfs", syscalls.MS_NODEV | syscalls.MS_NOSUID, "mode=0755,size=1g"
    )
    for step in steps:
        _take_step(root, step)
    if read_only:
        syscalls.make_read_only(root, recursive=False)
    syscalls.pivot_root(root)


def _take_step(root: str, step: dict[str, Any]) -> None:
    """Carry out one `sandbox.Step` below the new root."""
    kind, source = step["kind"], step["source"]
    target = _inside(root, step["target"])
    if kind == "link":
        target.symlink_to(source)
        return
    _make_target(root, target, is_file=kind == "bind" and not Path(source).is_dir())
    match kind:
        case "directory":
            target.chmod(int(source, 8))
        case "bind":
            syscalls.mount(source, target, flags=syscalls.MOUNT_BIND_RECURSIVELY)
        case "proc":
            syscalls.mount("proc", target, "proc", syscalls.MS_NODEV | syscalls.MS_NOSUID)
        case "tmpfs":
            syscalls.mount(
                "tmpfs", target, "tmpfs", syscalls.MS_NODEV | syscalls.MS_NOSUID, source
            )
        case _:
            raise OSError(errno.EINVAL, f"the shim knows no step {kind!r}")
    if step["read_only"]:
        syscalls.make_read_only(str(target))


def _inside(root: str, path: str) -> Path:
    """Resolve a path below the new root; absolute links in it start at the new root too."""
    reached = Path(root)
    parts = list(Path(path).parts[1:])
    while parts:
        part = parts.pop(0)
        reached = reached.parent if part == ".." else reached / part
        if reached.is_symlink():
            link = reached.readlink()
            reached = Path(root) if link.is_absolute() else reached.parent
            parts = [*link.parts[1 if link.is_absolute() else 0 :], *parts]
    return reached


def _make_target(root: str, target: Path, *, is_file: bool) -> None:
    """Make the directory or file to mount on, also below a directory bound read-only."""
    if target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_file:
            target.touch()
        else:
            target.mkdir()
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        nearest = next(parent for parent in target.parents if parent.exists())
        _open_up(root, nearest)
        _make_target(root, target, is_file=is_file)


def _open_up(root: str, directory: Path) -> None:
    """Mount a writable directory with the same entries over one that is bound read-only."""
    aside = Path(root, ".aside")
    aside.mkdir()
    syscalls.mount(str(directory), aside, flags=syscalls.MOUNT_BIND_RECURSIVELY)
    syscalls.mount(
        "tmpfs", directory, "tmpfs", syscalls.MS_NODEV | syscalls.MS_NOSUID, "mode=0755"
    )
    for entry in aside.iterdir():
        twin = directory / entry.name
        if entry.is_symlink():
            twin.symlink_to(entry.readlink())
            continue
        if entry.is_dir():
            twin.mkdir()
        else:
            twin.touch()
        # Bound as they are: read-only, and with what was mounted there before.
        syscalls.mount(str(entry), twin, flags=syscalls.MOUNT_BIND_RECURSIVELY)
    syscalls.unmount(str(aside))
    aside.rmdir()


def _execute(arguments: list[str], environment: dict[str, str]) -> NoReturn:
    program = shutil.which(arguments[0], path=environment.get("PATH", os.defpath))
    if program is None:
        where = "no such file or directory" if "/" in arguments[0] else "not found in $PATH"
        raise OSError(errno.ENOENT, f'exec: "{arguments[0]}": executable file {where}')
    os.execve(program, arguments, environment)  # noqa: S606 - a container's command has no shell


def _sentence(error: OSError) -> str:
    text = error.strerror or str(error)
    return f"{text}: {error.filename}" if error.filename else text


def _report(status: int, **message: object) -> None:
    os.write(status, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
