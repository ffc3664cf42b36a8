"""Run a writer in a process of its own, in which one of its changes of a folder fails.

The audit events of the interpreter are the points before each change.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_CHANGES = frozenset({"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod"})
KILLED = -signal.SIGKILL
SUCCEEDED = 3


def run(
    writer: Callable[[], object], folder: Path, number: int, fail: Callable[[], object]
) -> tuple[int, str]:
    """Run *writer*; let *fail* happen before its change number *number* below *folder*.

    Return the exit code, and the message of its exception. The exit code is 0 if there are fewer
    changes, `SUCCEEDED` if the writer succeeded although one failed, and negative for a signal.
    """
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        failed = _fail_at(folder, number, fail)
        try:
            writer()
            code = SUCCEEDED if failed() else 0
        except BaseException as error:  # noqa: BLE001  (the process must end here)
            os.write(writing, str(error).encode())
            code = 1
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        message = pipe.read().decode()
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), message


def kill() -> None:
    """Kill the process."""
    os.kill(os.getpid(), signal.SIGKILL)


def _fail_at(folder: Path, number: int, fail: Callable[[], object]) -> Callable[[], bool]:
    """Install the hook; return a function that says whether there were so many changes."""
    changes = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal changes
        if _is_change(event, arguments) and str(arguments[0]).startswith(str(folder)):
            changes += 1
            if changes == number:
                fail()

    sys.addaudithook(hook)
    return lambda: changes >= number


def _is_change(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        flags = arguments[2]
        return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))
    return event in _CHANGES
