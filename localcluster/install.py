"""Make the virtual environment from the lock: ``python -m localcluster.install FOLDER``.

It imports the standard library only, because it runs before anything is installed. pip resolves
nothing: each package is installed in the version and with the hash that the lock names.
"""

import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from localcluster.folders import SOURCE
from localcluster.progress import Progress, Tell

LOCK = SOURCE.parent / "requirements" / "dev.txt"
PROGRAMS = (SOURCE.parent, SOURCE.parent / "jobs" / "fetch")
"""The projects of this checkout: the operator and the fetcher."""
LAST_LINES = 30
"""Lines of pip's output that an error shows."""

_PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off", "--no-deps")
_PACKAGE_LINE = re.compile(r"\s*(?:Collecting|Ignoring) ([A-Za-z0-9._-]+)")


class InstallError(RuntimeError):
    """An installation failed; the message shows the command and the end of pip's output."""


def main(folder: Path) -> int:
    """Make the environment in `folder`; return the exit status."""
    try:
        install(folder, Progress())
    except InstallError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def install(folder: Path, progress: Progress) -> None:
    """Make the environment in `folder`: all packages, and the checkout. Raise `InstallError`."""
    with progress.step(f"Creating the virtual environment {folder}", expected="about 10 s"):
        _run([sys.executable, "-m", "venv", str(folder)], ())
    python = str(folder / "bin" / "python")
    names = locked(LOCK)
    what = f"Installing {len(names)} packages, 1.2 GB"
    with progress.step(what, expected="2 to 8 min") as tell:
        _run([python, *_PIP, "--require-hashes", "-r", str(LOCK)], names, tell)
    with progress.step("Installing this checkout", expected="about 10 s"):
        editable = [word for folder in PROGRAMS for word in ("-e", str(folder))]
        _run([python, *_PIP, "--no-build-isolation", *editable], ())


def locked(lock: Path) -> list[str]:
    """Return the names of the packages in a lock."""
    return re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", lock.read_text(), re.MULTILINE)


def describe(line: str, names: Sequence[str], taken: set[str]) -> str:
    """Describe a line of pip's output in a few words; return "" if it is of no interest.

    `taken` collects the packages that pip has reached.
    """
    if match := _PACKAGE_LINE.match(line):
        taken.add(match[1])
        return f"{len(taken)} of {len(names)}: {match[1]}"
    if line.startswith("Installing collected packages"):
        return "all are there, unpacking them"
    return ""


def _run(command: list[str], names: Sequence[str], tell: Tell = lambda _: None) -> None:
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    except OSError as error:
        raise InstallError(f"{command[0]} cannot be run: {error}") from error
    with process:
        last = _follow(process.stdout or (), names, tell)
    if process.returncode != 0:
        end = "\n".join(f"    {line}" for line in last) or "    (no output)"
        text = " ".join(command)
        raise InstallError(f"{text}: exited with status {process.returncode}. Its end:\n{end}")


def _follow(lines: Iterable[str], names: Sequence[str], tell: Tell) -> deque[str]:
    last: deque[str] = deque(maxlen=LAST_LINES)
    taken: set[str] = set()
    for line in lines:
        last.append(line.rstrip())
        if detail := describe(line, names, taken):
            tell(detail)
    return last


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
