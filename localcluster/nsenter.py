"""Run a command inside a cluster: ``python -m localcluster.nsenter PID COMMAND...``."""

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from localcluster import namespace, syscalls


def main(pid: int, command: list[str]) -> int:
    """Run ``command`` in the namespaces of ``pid``; return its exit status as a shell would.

    The command ends when this process does.
    """
    here = Path.cwd()
    syscalls.enter(pid, namespace.NAMESPACES)
    os.chdir(here)  # Entering a mount namespace leads to its root.
    # Only children of this process are in the process namespace that it entered.
    child = os.fork()
    if child == 0:
        _become(command)
    # The terminal sends an interrupt to both; the child decides the exit status.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _become(command: list[str]) -> NoReturn:
    try:
        syscalls.die_with_parent()
        os.execvp(command[0], command)  # noqa: S606 - what this program is for
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
