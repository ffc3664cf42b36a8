"""Start a container's first process in namespaces of its own, and further ones beside it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localcluster.node.filesystem import Step

_CHECKOUT = Path(__file__).parents[2]
_CHUNK = 65536


class StartError(Exception):
    """A program could not be started in a sandbox; the message is the operating system's."""


@dataclass(frozen=True, slots=True)
class Program:
    """The program to execute in a sandbox."""

    arguments: list[str]
    environment: Mapping[str, str]
    directory: str = "/"
    """The working directory, inside the sandbox."""
    no_new_privileges: bool = False
    """Whether executed programs are prevented from gaining privileges."""
    drop_capabilities: bool = False
    """Whether all capabilities are dropped, those of uid 0 over the cluster's namespaces."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The namespaces that a container is started in."""

    hostname: str
    root: Path
    """An empty folder to build the new root at, which is invisible outside the sandbox."""
    steps: list[Step]
    netns: int | None
    """A descriptor of the pod's network namespace; None for the cluster's own (hostNetwork)."""
    read_only_root: bool = False


class Process:
    """A container's first process, watched from outside."""

    def __init__(self, shim: asyncio.subprocess.Process, pid: int) -> None:
        """Watch the process `pid`, whose parent is `shim`."""
        self.pid = pid
        self._shim = shim

    async def wait(self) -> int:
        """Return the exit code once the process has ended; 128 + the number for a signal."""
        return await self._shim.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process; SIGKILL ends all processes of its container with it."""
        if self._shim.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


async def start(
    program: Program, sandbox: Sandbox, on_output: Callable[[bytes], None]
) -> tuple[Process, asyncio.Task[None]]:
    """Start a program as the first process of a new sandbox.

    Return it and the task that passes its output to `on_output` as it arrives; the task ends
    after the last output. Raise `StartError`.
    """
    spec = {
        **asdict(program),
        "hostname": sandbox.hostname,
        "root": str(sandbox.root),
        "steps": [asdict(step) for step in sandbox.steps],
        "netns": sandbox.netns,
        "read_only_root": sandbox.read_only_root,
    }
    shim, pid = await _start_shim("run", spec, sandbox.netns)
    return Process(shim, pid), asyncio.create_task(_pump(shim, on_output))


async def run_beside(process: Process, program: Program, seconds: float | None) -> tuple[int, str]:
    """Run a program in a running container; return its exit code and its output.

    Raise `StartError`, and `TimeoutError` when it takes longer than `seconds`; it is killed
    then, and also when the caller is cancelled.
    """
    output: list[bytes] = []
    shim, pid = await _start_shim("enter", {**asdict(program), "pid": process.pid}, None)
    try:
        async with asyncio.timeout(seconds):
            await _pump(shim, output.append)
            code = await shim.wait()
    finally:
        if shim.returncode is None:
            # Never kill the shim: without a parent the program would stay a zombie, and the end
            # of the container's process namespace waits for every zombie in it.
            Process(shim, pid).signal(signal.SIGKILL)
            await shim.wait()
    return code, b"".join(output).decode(errors="replace").strip()


async def _start_shim(
    mode: str, spec: dict[str, Any], netns: int | None
) -> tuple[asyncio.subprocess.Process, int]:
    with (
        os.fdopen(os.memfd_create("spec"), "r+b") as document,
        contextlib.ExitStack() as descriptors,
    ):
        document.write(json.dumps(spec).encode())
        document.seek(0)
        reader, writer = os.pipe()
        reports = descriptors.enter_context(os.fdopen(reader, "rb"))
        with os.fdopen(writer, "wb"):
            shim = await asyncio.create_subprocess_exec(
                *(sys.executable, "-S", "-m", "localcluster.node.shim"),
                *(mode, str(document.fileno()), str(writer)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={"PYTHONPATH": str(_CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
                pass_fds=[fd for fd in (document.fileno(), writer, netns) if fd is not None],
                start_new_session=True,
            )
        # The pipe ends when the program is executed, so this takes milliseconds.
        lines = (await asyncio.to_thread(reports.read)).splitlines()
    reported: dict[str, Any] = {}
    for line in lines:
        reported |= json.loads(line)
    if "error" in reported or "pid" not in reported:
        said = (await shim.communicate())[0].decode(errors="replace").strip()
        raise StartError(reported.get("error") or said or "the sandbox ended at once")
    return shim, reported["pid"]


async def _pump(shim: asyncio.subprocess.Process, on_output: Callable[[bytes], None]) -> None:
    if shim.stdout is None:
        return
    while data := await shim.stdout.read(_CHUNK):
        on_output(data)
